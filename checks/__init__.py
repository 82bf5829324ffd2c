"""PROVE: testinfra suites with their own reading and their own meter; never imports deploys."""
