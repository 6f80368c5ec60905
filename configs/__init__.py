"""Run configurations, installed with the package so that every worker has them."""
