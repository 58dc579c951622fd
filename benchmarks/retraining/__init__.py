"""Whether retraining helps a site: a base without some people, and a site that has them."""
