"""Language models: the agent, its endpoint, and the calls with their retries."""
