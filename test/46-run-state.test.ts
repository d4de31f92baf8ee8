import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveCheckpoint } from '../lib/train/checkpoint.js';
import { exactJson, parseExactJson } from '../lib/train/exact-json.js';
import { requireSameRun } from '../lib/train/resume.js';
import { type Identity, type RunState, readRunState, runStateFile, runStateText } from '../lib/train/run-state.js';

let out: string;
beforeAll(() => {
	out = mkdtempSync(join(tmpdir(), 'distiltune-state-'));
});
afterAll(() => rmSync(out, { recursive: true }));

const identity: Identity = {
	data: { train: { source: 'train.csv', rows: 5000, sha256: 'a'.repeat(64) }, eval: null },
	model: { name: 'minilm-l6', sha256: 'b'.repeat(64) },
	labels: ['control', 'depression'],
	options: { learningRate: 5e-5, outputDir: 'out', loggingSteps: 500, classWeights: null },
	machine: {
		...{ distiltune: '0.1.0', node: '20.20.2', libtorch: '1.11.0', device: 'cpu', dtype: 'fp32', threads: 2, world: 1, isa: 'avx512' },
		kernels: { gemm: 'avx512', attention: 'avx512' },
	},
};
const state: RunState = {
	...{ format: 1, step: 7, epoch: 0.7, globalSamples: 56 },
	loop: {
		...{ step: 7, epoch: 0.7, pass: 0, batches: 14, waiting: [0.1 + 0.2], skipped: 3, owes: 'step', loggedLoss: Number.POSITIVE_INFINITY },
		meter: { sinceLog: { loss: Number.NaN, count: 0 }, epoch: { loss: 4.9e-324, count: 7 }, whole: { loss: 1.7976931348623157e308, count: 7 } },
		last: { step: 7, epoch: 0.7, loss: 1 / 3, gradNorm: -0, learningRate: 5e-5 },
		...{ tokens: 1234, paddedTokens: 4321, best: { best: { value: 0.1 + 0.2, step: 5 }, withoutGain: 1 } },
	},
	counters: { steps: 7, microBatches: 15, pending: 1 },
	schedule: { name: 'linear', learningRate: 5e-5, warmup: 0, totalSteps: 30, kwargs: {} },
	generators: { order: { algorithm: 'mt19937', compat: '5', seed: '42' }, dropout: { algorithm: 'philox4x32-10', seed: 42 } },
	seconds: 1.5,
	history: {
		entries: [{ type: 'log', step: 5, epoch: 0.5, loss: 1 / 3, gradNorm: -0, learningRate: 5e-5 }],
		...{ epochs: [], warnings: [{ code: 'A', message: 'b' }] },
	},
	watch: { curve: { points: [] } },
	drawnFromSeed: ['classifier.weight'],
	identity,
};

/** A checkpoint that holds `content` as its run_state.json. */
const saved = (content: string, facts: { step: number; epoch: number; globalSamples: number } = state) =>
	saveCheckpoint(out, { step: facts.step, epoch: facts.epoch, globalSamples: facts.globalSamples, world: 1 }, 1000, (folder) =>
		writeFile(join(folder, runStateFile), content),
	);
const changed = (change: (copy: Record<string, object>) => void): string => {
	const copy = JSON.parse(runStateText(state));
	change(copy);
	return JSON.stringify(copy);
};

describe('run_state.json', () => {
	it('comes back as it was, every bit of every double', async () => {
		expect(await readRunState(await saved(runStateText(state)))).toStrictEqual(state);
	});

	it.each([
		['without a field', changed((copy) => delete copy.counters), 'run_state.json.counters is nothing, expected an object'],
		['with one too many', changed((copy) => Object.assign(copy, { more: true })), 'run_state.json.more is true, expected no such field'],
		[
			'with a negative count',
			changed((copy) => Object.assign(copy.loop ?? {}, { batches: -8 })),
			'run_state.json.loop.batches is -8, expected a whole number',
		],
		['with a text for a number', changed((copy) => Object.assign(copy, { epoch: '0.7' })), 'run_state.json.epoch is "0.7", expected a number'],
		['of another format', changed((copy) => Object.assign(copy, { format: 2 })), 'run_state.json.format is 2, expected 1'],
		['that is a list', '[]', 'run_state.json is [], expected an object'],
		['that is no JSON', '{', 'JSON'],
	])('%s is refused', async (_, content, reason) => {
		await expect(readRunState(await saved(content))).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED', message: expect.stringContaining(reason) });
	});

	it('of another step than its manifest is refused', async () => {
		const checkpoint = await saved(runStateText(state), { ...state, step: 8 });
		await expect(readRunState(checkpoint)).rejects.toMatchObject({ message: expect.stringContaining('run_state.json has step 7, its manifest 8') });
	});
});

describe('exact JSON', () => {
	it('keeps 65,536 doubles of any kind, and those JSON has no word for', () => {
		const bits = new BigUint64Array(2 ** 16);
		for (let index = 0, state = 1n; index < bits.length; index++) {
			state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n); // Knuth's MMIX
			bits[index] = state;
		}
		const doubles = [...new Float64Array(bits.buffer), 0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
		const back = parseExactJson(exactJson(doubles)) as number[];
		expect(back.findIndex((value, index) => !Object.is(value, doubles[index]))).toBe(-1);
	});

	it('leaves what only looks like its spelling', () => {
		const value = { $number: 1, inner: { $number: 'NaN', more: 2 } };
		expect(parseExactJson(exactJson(value))).toEqual(value);
	});
});

describe('going on from a checkpoint', () => {
	const withOptions = (options: object): Identity => ({ ...identity, options: { ...identity.options, ...options } });
	const withMachine = (machine: object): Identity => ({ ...identity, machine: { ...identity.machine, ...machine } });

	it('is nothing to talk about where all is as it was', () => {
		expect(requireSameRun(identity, structuredClone(identity))).toEqual([]);
		expect(requireSameRun(identity, { ...identity, model: { ...identity.model, name: './minilm-l6' } })).toEqual([]);
	});

	it.each<[string, Identity, string]>([
		[
			'other rows',
			{ ...identity, data: { ...identity.data, train: { source: 'train.csv', rows: 5000, sha256: 'c'.repeat(64) } } },
			`the training rows was "${'a'.repeat(64)}" and is "${'c'.repeat(64)}"`,
		],
		[
			'rows to measure on',
			{ ...identity, data: { ...identity.data, eval: identity.data.train } },
			`the evaluation rows was null and is "${'a'.repeat(64)}"`,
		],
		['another model', { ...identity, model: { name: 'minilm-l6', sha256: 'd'.repeat(64) } }, 'the model was'],
		[
			'labels in another order',
			{ ...identity, labels: ['depression', 'control'] },
			'the labels was ["control","depression"] and is ["depression","control"]',
		],
		['another learning rate', withOptions({ learningRate: 1e-4 }), 'learningRate was 0.00005 and is 0.0001'],
		['an option where there was none', withOptions({ classWeights: [1, 2] }), 'classWeights was null and is [1,2]'],
		['another dtype', withMachine({ dtype: 'bf16' }), 'dtype was "fp32" and is "bf16"'],
	])('with %s is refused', (_, now, sentence) => {
		expect(() => requireSameRun(identity, now)).toThrow(
			expect.objectContaining({ name: 'ConfigError', code: 'RESUME_MISMATCH', message: expect.stringContaining(sentence) }),
		);
	});

	it('names all differences at once', () => {
		const now = { ...withOptions({ learningRate: 1, weightDecay: 1, classWeights: [1, 2], loggingSteps: 1 }), labels: [] };
		expect(() => requireSameRun(identity, now)).toThrow(
			expect.objectContaining({
				details: { differences: ['the labels', 'learningRate', 'classWeights'].map((what) => expect.objectContaining({ what })) },
			}),
		);
	});

	it('elsewhere, or told in another rhythm, is for a warning', () => {
		expect(requireSameRun(identity, withOptions({ outputDir: 'other', loggingSteps: 10 }))).toEqual([
			{ code: 'RESUME_OPTION_CHANGED', message: 'outputDir was "out" and is "other"; that changes no result' },
			{ code: 'RESUME_OPTION_CHANGED', message: 'loggingSteps was 500 and is 10; that changes no result' },
		]);
	});

	it('on another machine is for a warning about last bits; with other threads for none', () => {
		expect(requireSameRun(identity, withMachine({ isa: 'avx2', libtorch: '2.13.0' })).map(({ code, message }) => [code, message])).toEqual([
			['RESUME_NOT_BIT_EXACT', 'libtorch was "1.11.0" and is "2.13.0"; the last bits of the result may differ'],
			['RESUME_NOT_BIT_EXACT', 'isa was "avx512" and is "avx2"; the last bits of the result may differ'],
		]);
		expect(requireSameRun(identity, withMachine({ threads: 4 }))).toEqual([]);
	});
});
