"""The connector SDK and the built-in connectors. They use the hub's HTTP and Kafka interfaces and do not import it."""
