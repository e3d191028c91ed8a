"""What the integration tests stand on: real servers, a player, a reader of the topics, a model to compare with."""
