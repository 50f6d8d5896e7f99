"""Who is asking, what may they, what did they do."""
