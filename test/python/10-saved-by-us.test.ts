import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Classifier, Tokenizer, Trainer } from '../../lib/index.js';
import { fixture, root } from '../models.js';
import { largestGap, logProbabilities, posts, python, randomNumbers } from './python.js';

// What we save opens in Transformers: weights, logits, tokens.

interface Opened {
	readonly problems: Record<string, string[]>;
	readonly labels: string[];
	/** What it opens in where no dtype is asked for. */
	readonly dtype: string;
	readonly logits: number[][];
	readonly ids: number[][];
	readonly vocabularyIds: number[][];
}

/** Strings of everything: words, special tokens, any code point but surrogates, which Python's tokenizer refuses. */
function strings(count: number): string[] {
	const random = randomNumbers(20261125);
	const below = (limit: number) => Math.floor(random() * limit);
	const chosen = (list: readonly string[]) => list[below(list.length)] as string;
	const any = () => {
		const code = below(0x110000 - 0x800);
		return String.fromCodePoint(code < 0xd800 ? code : code + 0x800);
	};
	const kinds: (() => string)[] = [
		() => String.fromCodePoint(0x20 + below(0x5f)),
		() => chosen(['feel', 'SAD', 'nothing ', ' helps', "don't", 'unhappiness', 'a'.repeat(101)]),
		() => chosen(['[CLS]', '[SEP]', '[MASK]', '[PAD]', '[UNK]', '[cls]', '##ing']),
		() => chosen([' ', '\t', '\n', '\u00a0', '\u3000', '\u200b', '\u00ad', '\ufeff', '\0', '\ufffd']),
		() => String.fromCodePoint(0xc0 + below(0x500)),
		() => String.fromCodePoint(0x300 + below(0x70)),
		() => String.fromCodePoint(0x4e00 + below(0x5200)),
		() => String.fromCodePoint(0xac00 + below(0x2ba4)),
		() => String.fromCodePoint(0x1f300 + below(0x400)),
		any,
	];
	return Array.from({ length: count }, () => Array.from({ length: below(40) }, () => (kinds[below(kinds.length)] as () => string)()).join(''));
}

describe.each([
	{ name: 'the tiny model', model: fixture('tiny-model'), maxLength: 128, labels: ['calm', 'worried', 'alarmed'], learned: false, dtype: 'fp32' },
	{
		name: 'the tiny model, as bf16,',
		model: fixture('tiny-model'),
		maxLength: 128,
		labels: ['calm', 'worried', 'alarmed'],
		learned: true,
		dtype: 'bf16',
	},
	{ name: 'minilm-l6', model: join(root, 'models', 'minilm-l6'), maxLength: 512, labels: ['control', 'depression'], learned: false, dtype: 'fp32' },
	{
		name: 'minilm-l6, its head learned,',
		model: join(root, 'models', 'minilm-l6'),
		maxLength: 512,
		labels: ['control', 'depression'],
		learned: true,
		dtype: 'fp32',
	},
] as const)('$name trained for a few steps and saved', ({ model, maxLength, labels, learned, dtype }) => {
	const folder = mkdtempSync(join(tmpdir(), 'distiltune-python-'));
	const out = join(folder, 'out');
	let texts: string[];
	let all: string[];
	let theirs: Opened;
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	beforeAll(async () => {
		texts = await posts(64);
		const train = texts.map((text, row) => ({ text, label: labels[row % labels.length] as string }));
		const trainer = new Trainer({ model, train, labels, maxSteps: 3, learningRate: 1e-3, dtype: 'fp32', outputDir: out, truncation: 'silent' });
		await trainer.fit();
		await trainer.dispose();
		if (learned) {
			const classifier = await Classifier.load(out);
			await classifier.learn(train);
			await classifier.save(out, { dtype });
			await classifier.dispose();
		}
		const vocabulary = join(folder, 'vocabulary');
		mkdirSync(vocabulary);
		copyFileSync(join(out, 'vocab.txt'), join(vocabulary, 'vocab.txt'));
		all = [...strings(2000), ...texts];
		theirs = python('open_saved.py', { folder: out, texts, maxLength, strings: all, vocabulary }) as Opened;
	});

	it('opens without a missing, unexpected or mismatched key, with our labels', () => {
		expect(theirs.problems).toEqual({});
		expect(theirs.labels).toEqual(labels);
	});

	it('opens in the dtype it was saved in', () => {
		expect(theirs.dtype).toBe({ fp32: 'torch.float32', bf16: 'torch.bfloat16' }[dtype]);
	});

	it('gives the same logits there', async () => {
		const classifier = await Classifier.load(out, { dtype: 'fp32' }); // as theirs
		const predictions = await classifier.predict(texts);
		await classifier.dispose();
		const gaps = predictions.map(({ scores }, row) =>
			largestGap(
				labels.map((label) => Math.log(scores[label] as number)),
				logProbabilities(theirs.logits[row] as number[]),
			),
		);
		// Transformers' float32 logits are up to 4e-6 off the exact ones (test/fixtures/reference); so may ours be.
		expect(Math.max(...gaps)).toBeLessThan(1e-5);
		expect(new Set(theirs.logits.map(String)).size).toBeGreaterThan(50); // else every text would look the same, and a gap of 0 mean nothing
	});

	it('gives the same ids there, by its tokenizer files and by vocab.txt alone', async () => {
		const tokenizer = await Tokenizer.load(out);
		const { ids, offsets } = await tokenizer.encodeBatch(all, { maxLength });
		tokenizer.dispose();
		for (const [row, text] of all.entries()) {
			const ours = [...ids.subarray(offsets[row], offsets[row + 1])];
			expect(theirs.ids[row], JSON.stringify(text)).toEqual(ours);
			expect(theirs.vocabularyIds[row], JSON.stringify(text)).toEqual(ours);
		}
	});
});
