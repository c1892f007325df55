"""The connector SDK and the built-in connectors. Importable without the hub: they know its HTTP and Kafka borders."""
