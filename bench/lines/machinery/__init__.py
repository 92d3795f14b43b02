"""What the product and the bench itself stand on."""
