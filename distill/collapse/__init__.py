"""Model collapse: how varied the words of models are beside people's, measured at equal length."""
