"""Pure functions that compute what each collection shows from what sources sent."""
