"""What a campaign is: lifecycle, importing a list, retry policy, dispositions. No HTTP, no ESL, no Redis."""
