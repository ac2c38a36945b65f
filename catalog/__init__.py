"""Music that fits what a RAG application just said: reuse a close match, or make and insert a new track."""
