"""The pages: Jinja2 templates, plain ES modules and one stylesheet; nothing comes from another host."""
