"""What the agent is called for; each verb answers with one JSON document."""
