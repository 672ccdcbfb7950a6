"""The words of a report of servers: templates, and which facts they are filled with."""
