"""What a person wants done, a file per thing: composes the rooms, returns a result, prints nothing."""
