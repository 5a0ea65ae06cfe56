"""The paper's tables: what every system costs and how well it segments."""
