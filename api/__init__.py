"""HTTP in: one module for each resource of the contract; schemas, authentication, errors."""
