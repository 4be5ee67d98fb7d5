"""Makes data/golden.npz: what sentence-transformers itself gives for 20 awkward texts.

    python tests/models/make_golden.py FOLDER_OF_all-MiniLM-L6-v2

Needs the extra [st]; the ordinary tests only read the result.
"""

import os
import sys
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent / "data" / "golden.npz"
TEXTS = [
    "A quiet film about two sisters who run a bakery.",
    "The Café Müller naïvely serves crème brûlée, piñata and Gödel's jalapeños.",
    "ＦＵＬＬＷＩＤＴＨ letters, ﬁ ligatures and the Ångström sign Å",
    "東京の静かな図書館で本を読む",
    "北京大学开设了新的机器学习课程。",
    "한국어 문장도 하나 있어야 합니다",
    "Умные часы стали дешевле и тоньше",
    "Η ΜΕΓΑΛΗ ΕΛΛΗΝΙΚΗ ΣΟΦΙΑ ΤΗΣ ΟΔΟΥΣ",
    "مرحبا بالعالم، هذه جملة قصيرة",
    "שלום עולם, זה משפט קצר",
    "हिन्दी में एक छोटा वाक्य",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "Emoji 🎬🍿 and a family 👨\u200d👩\u200d👧\u200d👦, flags 🇯🇵🇧🇷, hearts ❤️",
    "İstanbul'da DIŞARI çıktık; STRASSE und ß",
    "soft\u00adhyphen zero\u200bwidth joiner\u200dhere \u202ereversed\u202c nbsp\u00a0here",
    "punctuation!!! (brackets) [more] {curly} <tags> #hash $5.00 100% a/b c\\d e|f ~tilde `tick`",
    "x" * 100 + " " + "y" * 101 + " words of one hundred and one hundred and one letters",
    "1234567890 3.14159 1,000,000 2024-02-29T12:00:00Z v1.2.3-rc4",
    "The history of the river begins with the people who lived on its banks. " * 40,
    "short",
]


def main(folder: str) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True, batch_size=1)
    encoded = [model.tokenizer(text, truncation=True, max_length=model.max_seq_length) for text in TEXTS]
    tokens = [one["input_ids"] for one in encoded]
    np.savez_compressed(
        OUT,
        texts=np.array(TEXTS),
        vectors=vectors.astype(np.float32),
        counts=np.array([len(ids) for ids in tokens], np.int32),
        tokens=np.array([ids + [0] * (model.max_seq_length - len(ids)) for ids in tokens], np.int32),
    )
    sys.stdout.write(f"{OUT} {vectors.shape}\n")


if __name__ == "__main__":
    main(sys.argv[1])
