from batchgen.dataset import disk
from batchgen.dataset.disk import existing, free_bytes, network_file_system


def test_the_kind_of_a_network_file_system_is_told(tmp_path, monkeypatch):
    listed = f"proc /proc proc rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n"
    mounts = tmp_path.parent / f"{tmp_path.name}-mounts"
    mounts.write_text(listed)
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    assert network_file_system(tmp_path / "out" / "job") == "nfs4"
    assert network_file_system(tmp_path.parent) is None


def test_a_disk_has_room_for_a_folder_that_is_still_to_be_made(tmp_path):
    assert existing(tmp_path / "new" / "folder") == tmp_path
    assert free_bytes(tmp_path / "new" / "folder") > 0


def test_a_system_without_a_list_of_mounts_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "none")
    assert network_file_system(tmp_path) is None
