import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EvaluationRows, type Row, Trainer, type TrainerConfig, type TrainerEvent } from '../lib/index.js';
import type { RunRecord } from '../lib/train/record.js';
import { fixture, referenceJson } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';

// Options of a run by what they do: against runs of Transformers 5.23 where it can do the same.

interface Recorded {
	options: Partial<TrainerConfig>;
	steps: { loss: number; grad_norm: number }[];
	eval_loss: number[];
}
const { texts, classes, runs } = referenceJson('training-options.json.gz') as { texts: string[]; classes: number[]; runs: Recorded[] };
const labels = ['calm', 'worried', 'alarmed'];
const rows: Row[] = texts.map((text, row) => ({ text, label: labels[classes[row] as number] as string }));

let folder: string;
let model: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-options-'));
	model = join(folder, 'model');
	cpSync(fixture('tiny-model'), model, { recursive: true });
	const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
	writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 }));
});
afterAll(() => rmSync(folder, { recursive: true }));

let outputs = 0;
async function fitted(changes: Partial<TrainerConfig> = {}) {
	const outputDir = join(folder, `out-${outputs++}`);
	const settings = { model, train: rows, eval: rows, labels, learningRate: 1e-3, loggingSteps: 1, dtype: 'fp32', threads: 1 } as const;
	await using trainer = new Trainer({ ...settings, ...changes, outputDir });
	const run = trainer.fit();
	const events: TrainerEvent[] = [];
	for await (const event of run) events.push(event);
	const record: RunRecord = JSON.parse(readFileSync(join(outputDir, 'run.json'), 'utf8'));
	return { outputDir, record, events, result: await run };
}
const tensorsOf = (path: string) => new Map(readSafetensors(readFileSync(join(path, 'model.safetensors'))).map(({ name, data }) => [name, data]));

describe.each(runs)('$options', ({ options, steps, eval_loss }) => {
	it('trains as Transformers does', async () => {
		const { outputDir, record } = await fitted({ weightDecay: 0.01, ...options });
		expect(record.history).toHaveLength(steps.length);
		// The tolerances of the reference curves: 1e-5 for losses, 1e-4 for norms, relative.
		for (const [step, { loss, grad_norm }] of steps.entries()) {
			const ours = record.history[step];
			expect(Math.abs((ours?.loss ?? Number.NaN) - loss), `loss ${step}`).toBeLessThan(1e-5);
			expect(Math.abs((ours?.gradNorm ?? Number.NaN) / grad_norm - 1), `norm ${step}`).toBeLessThan(1e-4);
		}
		for (const [epoch, loss] of eval_loss.entries()) {
			expect(Math.abs((record.evaluations[epoch]?.metrics.loss ?? Number.NaN) - loss), `evaluation ${epoch}`).toBeLessThan(1e-5);
		}
		if (options.freeze === undefined) return;
		const [before, after] = [tensorsOf(model), tensorsOf(outputDir)];
		const layers = options.freeze === 'embeddings' ? 0 : options.freeze === 'encoder' ? 3 : options.freeze;
		for (const [name, data] of before) {
			const layer = /layer\.(\d)\./.exec(name)?.[1];
			const frozen = name.includes('embeddings') || (layer !== undefined && Number(layer) < Number(layers));
			// The biases of keys have no gradient, for softmax ignores what all keys share.
			if (!name.includes('k_lin.bias')) expect(after.get(name)?.equals(data), name).toBe(frozen);
		}
	});
});

it('more layers than there are cannot be frozen', async () => {
	await expect(fitted({ freeze: 4 })).rejects.toMatchObject({
		name: 'ConfigError',
		code: 'OPTIONS_INVALID',
		message: 'Expected `freeze` to be at most 3, the layers of this model, got 4',
	});
});

describe('computeMetrics', () => {
	it('adds to the metrics of each evaluation and of every record', async () => {
		const seen: EvaluationRows[] = [];
		const computeMetrics = (given: EvaluationRows) => {
			seen.push(given);
			const right = given.logits.filter((logits, row) => logits.indexOf(Math.max(...logits)) === given.labels[row]).length;
			return { rightRows: right };
		};
		const { record, outputDir, result } = await fitted({ computeMetrics, numTrainEpochs: 2 });
		expect(seen.map(({ logits, labels: each, names }) => [logits.length, each.length, names])).toEqual([
			[37, 37, labels],
			[37, 37, labels],
		]);
		expect(record.evaluations).toHaveLength(2);
		for (const { metrics } of record.evaluations) {
			expect((metrics as Record<string, unknown>).rightRows).toBeCloseTo(37 * (metrics.accuracy as number), 9); // whole numbers, through a division
		}
		expect(result.metrics).toHaveProperty('rightRows');
		const { log_history } = JSON.parse(readFileSync(join(outputDir, 'trainer_state.json'), 'utf8'));
		expect(log_history.findLast((entry: object) => 'eval_loss' in entry)).toHaveProperty('eval_right_rows');
	});

	it('that fails is a warning before its evaluation, and the run goes on', async () => {
		const computeMetrics = () => {
			throw new Error('out of ideas');
		};
		const { events, record } = await fitted({ computeMetrics, numTrainEpochs: 1 });
		const at = events.findIndex(({ type }) => type === 'evaluate');
		expect(events[at - 1]).toEqual({ type: 'warning', code: 'COMPUTE_METRICS_FAILED', message: 'computeMetrics failed: out of ideas' });
		expect(record.status).toBe('finished');
	});

	it('that fails is an error where evaluate() was called', async () => {
		let calls = 0;
		const computeMetrics = () => ({ loss: calls++ });
		await using trainer = new Trainer({ model, train: rows, labels, computeMetrics, maxSteps: 1, threads: 1, outputDir: join(folder, 'asked') });
		await trainer.fit();
		await expect(trainer.evaluate(rows)).rejects.toMatchObject({ name: 'TrainingError', code: 'METRIC_NAME_TAKEN' });
		expect(calls).toBe(1);
	});
});

describe('a loss that is no number', () => {
	/** The word embedding of "force" is NaN: only rows that hold the word have no loss. */
	const poisoned = () => {
		const path = join(folder, 'poisoned');
		cpSync(model, path, { recursive: true });
		const word = readFileSync(join(model, 'vocab.txt'), 'utf8').split('\n').indexOf('force');
		const weights = join(path, 'model.safetensors');
		const tensors = readSafetensors(readFileSync(weights));
		const table = tensors.find(({ name }) => name.endsWith('word_embeddings.weight'));
		const width = (table?.shape[1] as number) * 4;
		for (let at = 0; at < width; at += 4) table?.data.writeFloatLE(Number.NaN, word * width + at);
		writeFileSync(weights, safetensors(tensors));
		return path;
	};
	const quiet = { evalStrategy: 'no', perDeviceTrainBatchSize: 1, numTrainEpochs: 1 } as const;

	it('stops the run and names the line of the row in its file', async () => {
		const csv = join(folder, 'lines.csv');
		const calm = rows.filter(({ text }) => !text.includes('force'));
		const all = [...calm, { text: 'such force', label: 'alarmed' }];
		writeFileSync(csv, `text,label\n${all.map(({ text, label }) => `${text},${label}\n`).join('')}`);
		const error = await fitted({ ...quiet, model: poisoned(), train: csv }).catch((reason: unknown) => reason);
		expect(error).toMatchObject({ name: 'TrainingError', code: 'NON_FINITE', details: { rows: [all.length + 1] }, checkpoint: undefined });
		expect((error as Error).message).toMatch(new RegExp(`\\(step \\d+, line ${all.length + 1} of .*lines\\.csv\\); there is no checkpoint yet$`));
	});

	it('is skipped where that is asked for, and the other rows are learned from; weights that are no numbers are not saved', async () => {
		const odd = rows.findIndex(({ text }) => text.includes('force'));
		const some = rows.filter(({ text }, row) => row === odd || !text.includes('force'));
		const events: TrainerEvent[] = [];
		await using trainer = new Trainer({
			...quiet,
			...{ model: poisoned(), train: some, labels, learningRate: 1e-3, loggingSteps: 1000, threads: 1, onNonFinite: 'skip' },
			outputDir: join(folder, 'skipping'),
		});
		const run = trainer.fit();
		const following = (async () => {
			for await (const event of run) events.push(event);
		})();
		await expect(run).rejects.toMatchObject({ name: 'TrainingError', code: 'NON_FINITE', message: expect.stringContaining('was not saved') });
		await following.catch(() => {});
		const at = events.findIndex((event) => event.type === 'warning' && event.code === 'UPDATE_SKIPPED');
		expect(events[at]).toMatchObject({ code: 'UPDATE_SKIPPED', message: expect.stringContaining('skipped, 1 in a row') });
		expect(events[at + 1]).toMatchObject({ type: 'step', loss: Number.NaN, gradNorm: Number.NaN });
		const steps = events.filter((event) => event.type === 'step');
		expect(steps).toHaveLength(some.length);
		expect(steps.filter(({ loss }) => Number.isNaN(loss))).toHaveLength(1);
		// The mean of the epoch is that of the steps that were taken.
		expect(events.find(({ type }) => type === 'epochEnd')).toMatchObject({ loss: expect.toSatisfy(Number.isFinite) });
	});
});
