"""The application: people, access, conversations, ingestion, jobs, cores and the HTTP API."""
