import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Classifier, Trainer } from '../lib/index.js';
import { reference } from './models.js';
import { unpacked } from './unpack.js';

const bin = unpacked(reference('bin'));
const checkpoint = join(unpacked(reference('checkpoint')), 'checkpoint-12');
const out = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => {
	for (const folder of [bin, join(checkpoint, '..'), out]) rmSync(folder, { recursive: true });
});

const train = ['i feel fine today', 'i can t fall asleep', 'what a good day', 'i am alone again'].map((text, row) => ({
	text,
	label: row % 2 === 0 ? 'control' : 'depression',
}));

/** Trains two steps from a folder and gives the hash of what was saved. */
async function trainedFrom(model: string, outputDir: string): Promise<string> {
	await using trainer = new Trainer({ model, train, outputDir, perDeviceTrainBatchSize: 2, numTrainEpochs: 1, threads: 1 });
	await trainer.fit();
	return createHash('sha256')
		.update(readFileSync(join(outputDir, 'model.safetensors')))
		.digest('hex');
}

test('training from a pickle, old or new, whole or in shards, ends in the same bytes as from safetensors', async () => {
	const hashes = new Set<string>();
	for (const form of ['safetensors_whole', 'safetensors_sharded', 'zip', 'legacy', 'bin_sharded', 'shared', 'non_contiguous']) {
		copyFileSync(join(bin, 'config.json'), join(bin, form, 'config.json'));
		for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(checkpoint, name), join(bin, form, name));
		hashes.add(await trainedFrom(join(bin, form), join(out, form)));
	}
	expect(hashes.size).toBe(1);
});

test('a checkpoint of Transformers is trained on, and what comes out is whole', async () => {
	await trainedFrom(checkpoint, join(out, 'checkpoint'));
	await using classifier = await Classifier.load(join(out, 'checkpoint'));
	expect(classifier.labels).toEqual(['control', 'depression']);
	expect((await classifier.predict('i feel fine')).tokens).toBeGreaterThan(2);
});
