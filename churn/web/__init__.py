"""What stands between the network and Streamlit: the launcher, requests, identity, secrets."""
