"""Campaign policy: lifecycle, importing a list, retries, dispositions. No HTTP, no ESL, no Redis."""
