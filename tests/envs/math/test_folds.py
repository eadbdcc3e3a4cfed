"""The folds and training sets of the SVAMP repository: CSV files with number slots and prefix equations."""

from pathlib import Path

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.data import load_tasks
from lumos_rl.data.convert import Settings, convert

FOLD = {
    "train.csv": "Question,Numbers,Equation,Answer,group_nums\n"
    '"number0 girls and number1 boys sing . How many is that ?",5.0 3.0,+ number0 number1,8.0,"[0, 1, 2]"\n'
    '"A baker has number0 trays of number1 rolls and drops number2 . How many are left ?",4.0 12.0 3.0,'
    '- * number0 number1 number2,45.0,"[3, 4]"\n',
    "dev.csv": "Question,Numbers,Equation,Answer,group_nums,Type,Variation Type,Body,Ques\n"
    '"number0 cakes cost number1 dollars . What is the price of one ?",6.0 9.0,/ number1 number0,1.5,"[0, 1]",'
    "Common-Division,Question,number0 cakes cost number1 dollars .,What is the price of one ?\n",
}


def write_fold(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, text in FOLD.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("benchmark", ["mawps", "svamp"])
def test_a_fold_folder_gives_its_train_and_dev(tmp_path, benchmark):
    fold = write_fold(tmp_path / "data" / "cv_asdiv-a" / "fold0")
    train, dev = load_tasks(benchmark, fold, "train"), load_tasks(benchmark, fold, "dev")
    assert [task.instruction for task in train] == [
        "5 girls and 3 boys sing. How many is that?",
        "A baker has 4 trays of 12 rolls and drops 3. How many are left?",
    ]
    assert [(task.id, task.answer, task.meta["equation"]) for task in dev] == [(f"{benchmark}/dev/0", "1.5", "/ 9 6")]


@pytest.mark.parametrize("place", ["data/mawps-asdiv-a_svamp", "mawps-asdiv-a_svamp"])
def test_the_training_set_is_found_in_the_repository(tmp_path, place):
    write_fold(tmp_path / place)
    assert len(load_tasks("mawps", tmp_path, "train")) == 2


@pytest.mark.parametrize("benchmark", ["mawps", "svamp"])
def test_every_record_of_a_fold_gets_a_plan(tmp_path, benchmark):
    fold = write_fold(tmp_path / "cv_mawps" / "fold3")
    for split, count in (("train", 2), ("dev", 1)):
        result = convert(Settings(benchmark, str(fold), tmp_path, split=split))
        assert (len(result.kept), result.rejects) == (count, [])


def test_the_environment_plays_a_fold(tmp_path):
    env = gym.make("lumos_rl/SVAMP-v0", source=str(write_fold(tmp_path / "fold0")), split="dev")
    assert "6 cakes cost 9 dollars" in env.reset()[0]
    assert env.step("R1 = Calculator(9 / 6); Finish(R1)")[1] == 1.0


def test_the_test_set_and_a_fold_are_told_apart(tmp_path):
    fold = write_fold(tmp_path / "fold0")
    with pytest.raises(FileNotFoundError, match=r"SVAMP\.json"):
        load_tasks("svamp", fold)
    with pytest.raises(FileNotFoundError, match=r"train\.csv"):
        load_tasks("svamp", tmp_path, "train")
