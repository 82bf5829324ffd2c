"""PROVE: testinfra suites with their own parsers and their own meter; never imports deploys."""
