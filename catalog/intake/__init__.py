"""Music that others made, on its way to rows: files, what their tags and lists say, decoding, measuring, copies."""
