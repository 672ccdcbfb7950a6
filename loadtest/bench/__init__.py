"""What is run and loaded: servers, services, containers, generators, HTTP clients."""
