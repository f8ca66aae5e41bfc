"""What is kept: items, blobs, people, releases and the log's rows, in one SQLite database and two folders of blobs."""
