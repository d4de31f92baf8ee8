import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Classifier } from '../../lib/index.js';
import { fixture } from '../models.js';
import { largestGap, logProbabilities, posts, python } from './python.js';

// What Transformers and torch save, in every form, opens in a Classifier. The names are those of save_forms.py.

const forms: Readonly<Record<string, RegExp>> = {
	safetensors: /^model\.safetensors$/,
	'sharded safetensors': /^model-00003-of-\d+\.safetensors$/,
	'fp16 safetensors': /^model\.safetensors$/,
	'bf16 safetensors': /^model\.safetensors$/,
	'pytorch_model.bin': /^pytorch_model\.bin$/,
	'legacy pytorch_model.bin': /^pytorch_model\.bin$/,
	'fp16 pytorch_model.bin': /^pytorch_model\.bin$/,
	'bf16 legacy pytorch_model.bin': /^pytorch_model\.bin$/,
	'sharded pytorch_model.bin': /^pytorch_model-00003-of-00003\.bin$/,
	'checkpoint of Trainer': /^training_args\.bin$/,
};

describe('a classifier that Transformers saved as', () => {
	const out = mkdtempSync(join(tmpdir(), 'distiltune-python-'));
	let texts: string[];
	let theirs: Record<string, { files: string[]; logits: number[][] }>;
	afterAll(() => rmSync(out, { recursive: true, force: true }));
	beforeAll(async () => {
		texts = await posts(32);
		theirs = python('save_forms.py', { model: fixture('tiny-model'), out, texts, maxLength: 128 }) as typeof theirs;
	});

	it('every form there is', () => {
		expect(Object.keys(theirs)).toEqual(Object.keys(forms));
	});

	it.each(Object.entries(forms))('%s opens here with the same logits', async (form, expected) => {
		const { files = [], logits = [] } = theirs[form] ?? {};
		expect(files.filter((file) => expected.test(file))).toHaveLength(1);
		const classifier = await Classifier.load(join(out, form), { dtype: 'fp32' }); // as theirs
		const predictions = await classifier.predict(texts);
		await classifier.dispose();
		const gaps = predictions.map(({ scores }, row) =>
			largestGap(
				classifier.labels.map((label) => Math.log(scores[label] as number)),
				logProbabilities(logits[row] as number[]),
			),
		);
		// Transformers' float32 logits of this model are 2e-6 off the exact ones (test/fixtures/reference); so may ours be.
		expect(Math.max(...gaps)).toBeLessThan(1e-5);
	});
});
