"""The laws that every protocol keeps."""
