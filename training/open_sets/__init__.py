"""Open data sets read into dialogues, each by one small file over the interface in `training.open_sets.open_set`."""
