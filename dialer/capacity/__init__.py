"""What the limiter is told: permits renewed, given back and rebuilt; less where a node or a gateway refuses."""
