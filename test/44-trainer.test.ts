import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
	AbortError,
	Classifier,
	ConfigError,
	DataError,
	ModelError,
	type Row,
	Trainer,
	type TrainerConfig,
	type TrainerEvent,
} from '../lib/index.js';
import { readConfig } from '../lib/model/config.js';
import { loadEngine } from '../lib/runtime/load.js';
import type { RunRecord } from '../lib/train/record.js';
import { besideFindings } from './findings.js';
import { fixture, sessionOptions } from './models.js';
import { readSafetensors, safetensors, type TensorBytes } from './safetensors.js';

const tiny = fixture('tiny-model');
const labels = ['calm', 'worried', 'alarmed'];
const signs = ['friend happy free', 'alone tired sad', 'lost force bad'];
/** Each label has words of its own, so that a few epochs are enough to tell them apart. */
const rows: Row[] = Array.from({ length: 60 }, (_, row) => ({
	text: `${row % 7 === 0 ? 'the ' : ''}${signs[row % 3]
		?.split(' ')
		.slice(row % 2)
		.join(' ')} feeling ${'and so '.repeat(row % 5)}`,
	label: labels[row % 3] as string,
}));
const settings = { model: tiny, train: rows, labels, learningRate: 3e-4, numTrainEpochs: 4, dtype: 'fp32', threads: 1 } satisfies TrainerConfig;

let folder: string;
let trained: string;
let story: TrainerEvent[];
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-trainer-'));
	trained = join(folder, 'trained');
	story = [];
	await using trainer = new Trainer({
		...settings,
		learningRate: 2e-3,
		numTrainEpochs: 12,
		eval: { split: 0.2 },
		outputDir: trained,
		loggingSteps: 10,
	});
	const run = trainer.fit();
	for await (const event of run) story.push(event);
	await run;
});
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const recordOf = (path: string, name = 'run.json'): RunRecord => JSON.parse(readFileSync(join(path, name), 'utf8'));
let runs = 0;

/** Runs to the end in a folder of its own. */
async function fitted(changes: Partial<TrainerConfig>): Promise<string> {
	const outputDir = changes.outputDir ?? join(folder, `run-${runs++}`);
	await using trainer = new Trainer({ ...settings, ...changes, outputDir });
	await trainer.fit();
	return outputDir;
}

async function refusal(changes: Partial<TrainerConfig>): Promise<unknown> {
	return fitted(changes).then(
		() => expect.fail('the run was not refused'),
		(error: unknown) => error,
	);
}

describe('a run', () => {
	it('tells its story in order', () => {
		const types = besideFindings(story).map(({ type }) => type);
		expect(types.slice(0, 3)).toEqual(['trainBegin', 'epochBegin', 'step']);
		expect(types.slice(-3)).toEqual(['save', 'save', 'trainEnd']);
		const count = (wanted: string) => types.filter((type) => type === wanted).length;
		expect([count('epochBegin'), count('step'), count('log'), count('epochEnd'), count('evaluate')]).toEqual([12, 72, 7, 12, 12]);
		expect(story[0]).toMatchObject({ labels, rows: 48, evalRows: 12, stepsPerEpoch: 6, totalSteps: 72, epochs: 12 });
	});

	it('learns', () => {
		const evaluations = story.filter((event) => event.type === 'evaluate');
		expect(evaluations.at(-1)?.metrics.accuracy).toBeGreaterThan(0.9);
		expect(evaluations.at(-1)?.metrics.loss).toBeLessThan(evaluations[0]?.metrics.loss ?? 0);
		expect(evaluations[0]?.metrics.perLabel).toMatchObject({ calm: { support: 4 }, worried: { support: 4 }, alarmed: { support: 4 } });
	});

	it('leaves a folder of the files Transformers would leave, and its record', async () => {
		expect(readdirSync(trained).sort()).toEqual([
			...['checkpoint-66', 'checkpoint-72', 'config.json', 'model.safetensors', 'run.json', 'special_tokens_map.json'],
			...['tokenizer.json', 'tokenizer_config.json', 'trainer_state.json', 'vocab.txt'],
		]);
		expect((await readConfig(trained)).labels).toEqual(labels);
		expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
	});

	it('writes one record, whose numbers are those that were told', () => {
		const record = recordOf(trained);
		const told = <Type extends TrainerEvent['type']>(type: Type) =>
			story.filter((event) => event.type === type).map(({ type: _, ...rest }) => JSON.parse(JSON.stringify(rest)));
		expect(record.history).toEqual(told('log'));
		expect(record.evaluations).toEqual(told('evaluate'));
		expect(record.epochs).toEqual(told('epochEnd'));
		expect(record).toMatchObject({
			...{ format: 1, status: 'finished', labels, steps: 72, drawnFromSeed: [] },
			config: { model: tiny, train: 'rows in memory', eval: { split: 0.2 }, learningRate: 2e-3, maxLength: 128, seed: 42 },
			data: { train: { rows: 60, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }, eval: { split: 0.2, rows: 12 } },
		});
		expect(record.warnings).toEqual(told('warning'));
		expect(record.timings.peakRssBytes).toBeGreaterThan(1e6);
		expect(record.timings.stepsPerSecond).toBeGreaterThan(0);
	});

	it("writes Transformers' record too, of the same numbers", () => {
		const state = JSON.parse(readFileSync(join(trained, 'trainer_state.json'), 'utf8'));
		const record = recordOf(trained);
		const [logs, evaluations] = [(entry: Record<string, number>) => 'loss' in entry, (entry: Record<string, number>) => 'eval_loss' in entry];
		expect(state.log_history.filter(logs)).toEqual(
			record.history.map(({ step, epoch, loss, gradNorm, learningRate }) => ({
				step,
				epoch,
				loss,
				grad_norm: gradNorm,
				learning_rate: learningRate,
			})),
		);
		expect(state.log_history.filter(evaluations)).toMatchObject(
			record.evaluations.map(({ step, epoch, metrics }) => ({ step, epoch, eval_loss: metrics.loss, eval_accuracy: metrics.accuracy })),
		);
		expect(state.log_history.at(-1)).toMatchObject({ train_loss: record.trainLoss, total_flos: state.total_flos });
		expect(state).toMatchObject({ global_step: 72, max_steps: 72, num_train_epochs: 12, logging_steps: 10, train_batch_size: 8, eval_steps: 500 });
	});

	it('measures what the saved model says of the same rows', async () => {
		const outputDir = await fitted({ eval: rows, numTrainEpochs: 2 });
		await using classifier = await Classifier.load(outputDir);
		const predictions = await classifier.predict(rows.map(({ text }) => text));
		const losses = predictions.map(({ scores }, row) => -Math.log(scores[rows[row]?.label as string] as number));
		const right = predictions.filter(({ label }, row) => label === rows[row]?.label).length;
		const metrics = recordOf(outputDir).evaluations.at(-1)?.metrics;
		expect(metrics?.accuracy).toBe(right / rows.length);
		// Two forward passes in float32 over the same weights: 2.4 times the distance measured between such passes.
		expect(metrics?.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / rows.length, 5);
	});

	it('ends in the same bytes for the same seed, for any number of threads, and in others for another', async () => {
		const bytes = async (changes: Partial<TrainerConfig>) => sha256(join(await fitted({ numTrainEpochs: 1, ...changes }), 'model.safetensors'));
		const first = await bytes({});
		expect(await bytes({})).toBe(first);
		expect(await bytes({ threads: 2 })).toBe(first);
		expect(await bytes({ eval: rows })).toBe(first);
		expect(await bytes({ seed: 43 })).not.toBe(first);
		expect(await bytes({ dataSeed: 43 })).not.toBe(first);
	});

	it('starts from the beginning each time it is asked for', async () => {
		const outputDir = join(folder, 'again');
		await using trainer = new Trainer({ ...settings, train: rows.values(), numTrainEpochs: 1, outputDir });
		await trainer.fit();
		const first = sha256(join(outputDir, 'model.safetensors'));
		await trainer.fit();
		expect(sha256(join(outputDir, 'model.safetensors'))).toBe(first);
		expect(trainer.state).toEqual({ step: 8, epoch: 1, running: false });
	});

	it('draws a head for other labels where the model to start from has none', async () => {
		const body = modelWith('body', (tensors) => tensors.filter(({ name }) => !name.includes('classifier')));
		const outputDir = await fitted({ model: body, labels: ['alarmed', 'worried', 'calm', 'unknown'], numTrainEpochs: 1 });
		expect(recordOf(outputDir).drawnFromSeed).toEqual(['pre_classifier.weight', 'pre_classifier.bias', 'classifier.weight', 'classifier.bias']);
		expect((await readConfig(outputDir)).labels).toEqual(['alarmed', 'worried', 'calm', 'unknown']);
	});

	it('reads files and memory alike', async () => {
		const file = join(folder, 'rows.csv');
		writeFileSync(file, `text,label\n${rows.map(({ text, label }) => `${text},${label}\n`).join('')}`);
		const jsonl = join(folder, 'rows.jsonl');
		writeFileSync(jsonl, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
		const [fromMemory, fromCsv, fromJsonl] = [
			await fitted({ numTrainEpochs: 1 }),
			await fitted({ numTrainEpochs: 1, train: file }),
			await fitted({ numTrainEpochs: 1, train: jsonl }),
		];
		expect(sha256(join(fromCsv, 'model.safetensors'))).toBe(sha256(join(fromMemory, 'model.safetensors')));
		expect(sha256(join(fromJsonl, 'model.safetensors'))).toBe(sha256(join(fromMemory, 'model.safetensors')));
		expect(recordOf(fromCsv).data.train).toEqual({ source: file, rows: 60, sha256: sha256(file) });
	});

	it('tells and records what was odd about the rows', async () => {
		const odd = [
			{ text: '', label: 'calm' },
			{ text: ' ', label: 'worried' },
			{ text: 'a\0b', label: 'calm' },
			{ text: 'the '.repeat(300_000), label: 'alarmed' },
		];
		expect(besideFindings(recordOf(await fitted({ train: odd, numTrainEpochs: 1 })).warnings)).toEqual([
			{ code: 'TEXT_EMPTY', message: '2 texts of rows in memory are empty and will be read as [CLS] [SEP]' },
			{ code: 'TEXT_TRUNCATED', message: '1 text of rows in memory was cut to 128 tokens' },
			{ code: 'TEXT_WITH_NUL', message: '1 text of rows in memory holds NUL bytes, which are left out' },
		]);
		expect(besideFindings(recordOf(await fitted({ train: odd, numTrainEpochs: 1, truncation: 'silent' })).warnings).map(({ code }) => code)).toEqual([
			'TEXT_EMPTY',
			'TEXT_WITH_NUL',
		]);
	});

	it('tells what a classifier has no use for', async () => {
		const more = { name: 'vocab_projector.bias', dtype: 'F32', shape: [1], data: Buffer.alloc(4) };
		const { warnings } = recordOf(await fitted({ model: modelWith('masked', (tensors) => [...tensors, more]), maxSteps: 1 }));
		expect(besideFindings(warnings)).toEqual([
			{ code: 'WEIGHTS_IGNORED', message: 'A classifier has no use for these tensors of the model: vocab_projector.bias' },
		]);
	});

	it('takes a row of exactly the longest length uncut, and cuts the one that is a token longer', async () => {
		const exact = (tokens: number) => [...rows, { text: 'the '.repeat(tokens - 2), label: 'calm' }];
		expect(besideFindings(recordOf(await fitted({ train: exact(128), maxSteps: 1 })).warnings)).toEqual([]);
		expect(besideFindings(recordOf(await fitted({ train: exact(129), maxSteps: 1 })).warnings).map(({ code }) => code)).toEqual(['TEXT_TRUNCATED']);
	});
});

describe('options change the run', () => {
	const short = { numTrainEpochs: 2, warmupSteps: 1 };
	const variants: [name: string, changes: Partial<TrainerConfig>][] = [
		['compat 4.18', { compat: '4.18' }],
		['compat 4.18 with the AdamW of 5', { compat: '4.18', optim: 'adamw_torch' }],
		['adamw_hf', { optim: 'adamw_hf' }],
		['groupByLength', { groupByLength: true }],
		['groupByLength in 4.18', { compat: '4.18', optim: 'adamw_torch', groupByLength: true }],
		['cosine', { lrSchedulerType: 'cosine' }],
		['cosine with kwargs', { lrSchedulerType: 'cosine', lrSchedulerKwargs: { numCycles: 1 } }],
		['inverse_sqrt', { lrSchedulerType: 'inverse_sqrt' }],
		['cosine_with_restarts', { lrSchedulerType: 'cosine_with_restarts', lrSchedulerKwargs: { numCycles: 2 } }],
		['polynomial', { lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 2 } }],
		['constant', { lrSchedulerType: 'constant' }],
		['constant_with_warmup', { lrSchedulerType: 'constant_with_warmup' }],
		['warmupRatio', { warmupSteps: 0, warmupRatio: 0.3 }],
		['maxSteps', { maxSteps: 5 }],
		['maxGradNorm', { maxGradNorm: 0.1 }],
		['no clipping', { maxGradNorm: 0 }],
		['weightDecay', { weightDecay: 0.1 }],
		['dataloaderDropLast', { dataloaderDropLast: true }],
		['focalGamma', { focalGamma: 2 }],
		['sampling', { sampling: { calm: 3 } }],
		['balanced sampling', { sampling: 'balanced' }],
		['sampling in 4.18', { compat: '4.18', optim: 'adamw_torch', sampling: 'balanced' }],
		['sampling by length', { sampling: 'balanced', groupByLength: true }],
		['freeze embeddings', { freeze: 'embeddings' }],
		['freeze a layer', { freeze: 1 }],
		['freeze the encoder', { freeze: 'encoder' }],
		['labelSmoothingFactor', { labelSmoothingFactor: 0.1 }],
		['classWeights', { classWeights: [2, 1, 1] }],
		['accumulation', { gradientAccumulationSteps: 3 }],
		['accumulation in 4.18', { compat: '4.18', optim: 'adamw_torch', gradientAccumulationSteps: 3 }],
	];

	it('each to other bytes, and into the record', async () => {
		const bytes = new Map([[sha256(join(await fitted(short), 'model.safetensors')), 'defaults']]);
		for (const [name, changes] of variants) {
			const outputDir = await fitted({ ...short, ...changes });
			const hash = sha256(join(outputDir, 'model.safetensors'));
			expect(bytes.get(hash), name).toBeUndefined();
			bytes.set(hash, name);
			expect(recordOf(outputDir).config, name).toMatchObject(changes);
		}
	});

	it('where they say the default, or the same in other words, to none', async () => {
		const plain = sha256(join(await fitted(short), 'model.safetensors'));
		const said = { compat: '5', optim: 'adamw_torch', lrSchedulerType: 'linear', labelSmoothingFactor: 0, classWeights: [1, 1, 1] } as const;
		expect(sha256(join(await fitted({ ...short, ...said }), 'model.safetensors'))).toBe(plain);
		// 60 rows of three labels in equal parts.
		const balanced = await fitted({ ...short, classWeights: 'balanced' });
		expect(sha256(join(balanced, 'model.safetensors'))).toBe(plain);
		expect(recordOf(balanced).config.classWeights).toEqual([1, 1, 1]);
		const frozen = await Promise.all(
			(['embeddings', 0] as const).map(async (freeze) => sha256(join(await fitted({ ...short, freeze }), 'model.safetensors'))),
		);
		expect(frozen[1]).toBe(frozen[0]);
		const none = await fitted({ ...short, freeze: 'none', sampling: 'shuffle', focalGamma: 0, onNonFinite: 'skip' });
		expect(sha256(join(none, 'model.safetensors'))).toBe(plain);
	});

	it('draw the head where the Transformers that is followed draws it', async () => {
		const body = modelWith('headless', (tensors) => tensors.filter(({ name }) => !name.includes('classifier')));
		for (const [compat, headDraws] of [
			['5', 'first'],
			['4.18', 'afterConstructors'],
		] as const) {
			// The first step of a warm-up has a rate of 0: what is saved is what was drawn.
			const outputDir = await fitted({ model: body, compat, warmupSteps: 1, maxSteps: 1 });
			const saved = readSafetensors(readFileSync(join(outputDir, 'model.safetensors')));
			const session = await loadEngine().openSession(sessionOptions({ weights: join(body, 'model.safetensors'), headDraws }));
			for (const name of ['pre_classifier.weight', 'classifier.weight']) {
				const drawn = await session.parameter(name);
				expect(Buffer.from(drawn.buffer).equals(saved.find((tensor) => tensor.name === name)?.data as Buffer), `${compat} ${name}`).toBe(true);
			}
			await session.close();
		}
	});

	it('record what seeded the order of rows', async () => {
		const seeds = async (changes: Partial<TrainerConfig>) => recordOf(await fitted({ ...changes, maxSteps: 1 })).orderSeed;
		expect(await seeds({})).toBe('42');
		expect(await seeds({ dataSeed: 7 })).toBe('7');
		// The first int64 after manual_seed(42), more than a double can hold.
		expect(await seeds({ compat: '4.18' })).toBe('6909045637428952499');
		expect(await seeds({ compat: '4.18', dataSeed: 7 })).toBe('7');
		expect(await seeds({ dataSeed: 7, groupByLength: true })).toBe('42');
	});

	it('smooth the validation loss as well as the training loss', async () => {
		const outputDir = await fitted({ eval: rows, labelSmoothingFactor: 0.2, numTrainEpochs: 1 });
		await using classifier = await Classifier.load(outputDir);
		const predictions = await classifier.predict(rows.map(({ text }) => text));
		const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
		const smoothed = predictions.map(({ scores }, row) => {
			const logs = labels.map((label) => -Math.log(scores[label] as number));
			return 0.8 * (logs[labels.indexOf(rows[row]?.label as string)] as number) + 0.2 * mean(logs);
		});
		// Two forward passes in float32 over the same weights, as above.
		expect(recordOf(outputDir).evaluations.at(-1)?.metrics.loss).toBeCloseTo(mean(smoothed), 5);
	});
});

describe('a run that is stopped', () => {
	it('saves a checkpoint, then rejects with where it is', async () => {
		const outputDir = join(folder, 'stopped');
		await using trainer = new Trainer({ ...settings, outputDir });
		const controller = new AbortController();
		const run = trainer.fit({ signal: controller.signal });
		const seen: string[] = [];
		const error = await (async () => {
			for await (const event of run) {
				seen.push(event.type);
				if (event.type === 'step' && event.step === 3) controller.abort('enough');
			}
		})().catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(AbortError);
		expect(error).toMatchObject({ name: 'AbortError', code: 'ABORTED', checkpoint: join(outputDir, 'checkpoint-3'), cause: 'enough' });
		await expect(run).rejects.toBe(error);
		expect(seen.at(-1)).toBe('save');
		const record = recordOf(outputDir, 'unfinished-run.json');
		expect(record.status).toBe('interrupted');
		expect(record.steps).toBe(seen.filter((type) => type === 'step').length);
		await using classifier = await Classifier.load(join(outputDir, 'checkpoint-3'));
		expect((await classifier.predict('happy')).tokens).toBe(3);
		expect(trainer.state.running).toBe(false);
	});

	it('saves nothing where it had not begun', async () => {
		const outputDir = join(folder, 'unbegun');
		await using trainer = new Trainer({ ...settings, outputDir });
		await expect(trainer.fit({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED', checkpoint: undefined });
		expect(existsSync(outputDir)).toBe(false);
	});

	it('stops within an evaluation too', async () => {
		const outputDir = join(folder, 'measuring');
		await using trainer = new Trainer({ ...settings, eval: Array(50).fill(rows).flat(), perDeviceEvalBatchSize: 1, numTrainEpochs: 1, outputDir });
		const controller = new AbortController();
		const run = trainer.fit({ signal: controller.signal });
		for await (const event of run) {
			if (event.type === 'epochEnd') break;
		}
		controller.abort();
		await expect(run).rejects.toMatchObject({ checkpoint: join(outputDir, 'checkpoint-8') });
		expect(recordOf(outputDir, 'unfinished-run.json')).toMatchObject({ status: 'interrupted', steps: 8, evaluations: [] });
	});
});

describe('a run is refused', () => {
	const unseen = [{ text: 'a', label: 'calm ' }];
	it.each<[string, Partial<TrainerConfig>, new (...args: never[]) => Error, string, string]>([
		[
			'a label at eval that training does not know',
			{ eval: unseen },
			DataError,
			'LABEL_UNKNOWN',
			'Row 1 of rows in memory: label "calm " is not one of calm, worried, alarmed',
		],
		['a label that is not among those named', { train: [...rows, ...unseen] }, DataError, 'LABEL_UNKNOWN', 'Row 61'],
		[
			'one class only',
			{ train: rows.filter(({ label }) => label === 'calm'), labels: undefined as never },
			DataError,
			'ONE_CLASS',
			'Expected at least two labels in rows in memory, found only "calm"',
		],
		[
			'a text too long where that is an error',
			{ maxLength: 4, truncation: 'error' },
			DataError,
			'TEXT_TOO_LONG',
			'Row 1 of rows in memory: the text has more than 4 tokens',
		],
		[
			'fewer rows than a batch where the last is dropped',
			{ train: rows.slice(0, 5), dataloaderDropLast: true },
			DataError,
			'TOO_FEW_ROWS',
			'Expected at least one full batch of 8 rows, got 5',
		],
		['a share that is no row', { train: rows.slice(0, 3), eval: { split: 0.1 } }, DataError, 'TOO_FEW_ROWS', 'to hold back a share of 0.1, got 3'],
		['no rows', { train: [] }, DataError, 'NO_ROWS', 'There is no row in rows in memory'],
		['a missing file', { train: 'none.csv' }, DataError, 'FILE_NOT_FOUND', 'There is no file none.csv'],
		['a missing file to measure on', { eval: 'none.csv' }, DataError, 'FILE_NOT_FOUND', 'There is no file none.csv'],
		[
			'more tokens than the model has positions',
			{ maxLength: 129 },
			ConfigError,
			'OPTIONS_INVALID',
			'Expected `maxLength` to be at most 128, the positions of this model, got 129',
		],
		['a model that is not there', { model: 'none' }, ModelError, 'MODEL_NOT_FOUND', 'Expected `none` to be a model folder'],
		['a head of another width', { labels: ['calm', 'worried', 'alarmed', 'other'] }, ModelError, 'TENSOR_SHAPE', 'classifier.weight'],
	])('%s', async (_, changes, kind, code, sentence) => {
		const error = await refusal(changes);
		expect(error).toBeInstanceOf(kind);
		expect(error).toMatchObject({ code });
		expect((error as Error).message).toContain(sentence);
	});

	it('a text with a token the model has no place for', async () => {
		const model = modelWith('wordy', (tensors) => tensors);
		rmSync(join(model, 'tokenizer.json'));
		appendFileSync(join(model, 'vocab.txt'), 'zebra\n');
		const error = await refusal({ model, train: [...rows, { text: 'zebra', label: 'calm' }] });
		expect(error).toMatchObject({ name: 'ModelError', code: 'VOCABULARY_MISMATCH' });
		expect((error as Error).message).toContain('has a token 600, but its model knows only 600');
	});

	it('an output folder that cannot be written, before a step is taken', async () => {
		const file = join(folder, 'in-the-way');
		writeFileSync(file, '');
		await using trainer = new Trainer({ ...settings, outputDir: file });
		await expect(trainer.fit()).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
		expect(trainer.state.step).toBe(0);
	});

	it('a loss that is no number, naming the step and its rows, and nothing is saved', async () => {
		const nan = Buffer.alloc(12);
		nan.writeFloatLE(Number.NaN);
		const model = modelWith('damaged', (tensors) => tensors.map((tensor) => (tensor.name === 'classifier.bias' ? { ...tensor, data: nan } : tensor)));
		const outputDir = join(folder, 'endless');
		const error = await refusal({ model, outputDir });
		expect(error).toMatchObject({ name: 'TrainingError', code: 'NON_FINITE', details: { step: 1 } });
		expect((error as Error).message).toMatch(/\(step 1, rows \d+(, \d+){7} of rows in memory\)/);
		expect(readdirSync(outputDir)).toEqual(['unfinished-run.json']);
	});
});

describe('after a run', () => {
	it('the model is measured on any rows and saved anywhere', async () => {
		const outputDir = join(folder, 'after');
		await using trainer = new Trainer({ ...settings, eval: rows, outputDir, numTrainEpochs: 1 });
		const { metrics } = await trainer.fit();
		expect(await trainer.evaluate()).toEqual(metrics);
		expect(await trainer.evaluate(rows)).toEqual(metrics);
		expect((await trainer.evaluate(rows.slice(0, 3))).accuracy).toBeLessThanOrEqual(1);
		const predicted = await trainer.predict(rows);
		expect(predicted.filter(({ label }, row) => label === rows[row]?.label).length / rows.length).toBe(metrics?.accuracy);
		await using saved = await Classifier.load(trainer.config.outputDir);
		// Two forward passes over the same weights: the session's and the predictor's, each in float32.
		for (const [row, prediction] of (await saved.predict(rows.map(({ text }) => text))).entries())
			expect(prediction.score).toBeCloseTo(predicted[row]?.score ?? Number.NaN, 5);
		await expect(trainer.evaluate([{ text: 'a', label: 'none' }])).rejects.toMatchObject({ code: 'LABEL_UNKNOWN' });
		await trainer.save(join(folder, 'copy'));
		const files = readdirSync(outputDir).filter((name) => !name.startsWith('checkpoint-'));
		for (const name of files) expect(sha256(join(folder, 'copy', name)), name).toBe(sha256(join(outputDir, name)));
	});
});

/** A copy of the tiny model with other tensors. */
function modelWith(name: string, change: (tensors: TensorBytes[]) => TensorBytes[]): string {
	const model = join(folder, name);
	cpSync(tiny, model, { recursive: true });
	const path = join(model, 'model.safetensors');
	writeFileSync(path, safetensors(change(readSafetensors(readFileSync(path)))));
	return model;
}
