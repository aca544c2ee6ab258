from tests.support.bench import bench, running_service, service

__all__ = ["bench", "running_service", "service"]
