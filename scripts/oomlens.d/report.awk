function on_row() {}
END { print "not yet" }
