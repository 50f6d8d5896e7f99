"""The O2-IMS APIs and the inventory behind them."""
