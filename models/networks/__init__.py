"""The networks: generators, discriminators and the flow-guided model."""
