"""What bench/run is made of: servers and loads, scenarios, and the pages made from their results."""
