"""The stand-in for Pulumi's Python language host, used only with the engine that this checkout builds."""
