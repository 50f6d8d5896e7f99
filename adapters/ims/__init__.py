"""O2-IMS backends: one module (or folder) a kind, each with a class called Adapter."""
