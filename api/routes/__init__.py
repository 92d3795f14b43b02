"""The routes of the API: one module for each resource of the contract."""
