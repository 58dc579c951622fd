"""What the OpenAPI document says of each operation beyond its types: scopes, error codes and examples."""
