"""What every API root shares: problems, pages, conditional requests, renderers, OpenAPI glue. Knows no
model."""
