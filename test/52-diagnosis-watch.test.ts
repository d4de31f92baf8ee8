import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Row, Trainer, type TrainerConfig, type TrainerEvent } from '../lib/index.js';
import { diagnose } from '../lib/report/diagnosis/diagnose.js';
import { readRun } from '../lib/report/diagnosis/read.js';
import { diagnosisText } from '../lib/report/diagnosis/text.js';
import { RunWatch } from '../lib/report/diagnosis/watch.js';
import { Curve } from '../lib/train/curve.js';
import { MovementMeter } from '../lib/train/movement.js';
import { countRows } from '../lib/train/row-counts.js';
import { tokensInMemory } from '../lib/train/tokens.js';
import { curveOf, healthyRun } from './diagnosis.js';
import { fixture } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';

// What a run gathers of itself, what it leaves, and how that is read again.

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-diagnosis-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the curve', () => {
	const noisy = (step: number) => 1 + Math.sin(step * 7);
	it('has a point a step as long as that is possible, and never more than 512', () => {
		expect(curveOf({ steps: 512 }).points).toHaveLength(512);
		for (const steps of [513, 1000, 5000, 100_000]) {
			const { points, stepsPerPoint } = curveOf({ steps });
			expect(points.length).toBeLessThanOrEqual(512);
			expect(points.length).toBeGreaterThan(255);
			expect(points.reduce((sum, point) => sum + point.steps, 0)).toBe(steps);
			expect(points.slice(0, -1).every((point) => point.steps === stepsPerPoint)).toBe(true);
		}
	});
	it('keeps means, spreads and the largest norm', () => {
		const { points } = curveOf({ steps: 3000, loss: noisy, gradNorm: (step) => (step === 1234 ? 99 : 1) });
		const last = points.at(-2);
		const steps = Array.from({ length: last?.steps ?? 0 }, (_, index) => noisy((last?.step ?? 0) - index));
		const mean = steps.reduce((a, b) => a + b) / steps.length;
		// Six digits are kept.
		expect(last?.loss).toBeCloseTo(mean, 5);
		expect(last?.lossSpread).toBeCloseTo(
			steps.reduce((sum, loss) => sum + (loss - mean) ** 2, 0),
			4,
		);
		expect(points.find(({ gradNormMax }) => gradNormMax === 99)?.gradNormMaxStep).toBe(1234);
	});
	it('goes on from its state as if it had never stopped', () => {
		for (const stop of [1, 511, 512, 513, 2000]) {
			const whole = new Curve();
			let parted = new Curve();
			for (let step = 1; step <= 3000; step++) {
				const entry = { step, loss: noisy(step), gradNorm: 3, learningRate: 1e-5 };
				whole.add(entry);
				parted.add(entry);
				if (step === stop) parted = new Curve(JSON.parse(JSON.stringify(parted.state)));
			}
			expect(parted.state).toEqual(whole.state);
		}
	});
	it('leaves out what is no number', () => {
		const curve = new Curve();
		curve.add({ step: 1, loss: Number.NaN, gradNorm: 1, learningRate: 1 });
		expect(curve.state.points).toEqual([]);
	});
});

describe('movement', () => {
	it('is told by a sample, and goes on from its state', async () => {
		let shift = 0;
		const session = { parameter: async () => Float32Array.from({ length: 5000 }, (_, index) => (index % 2 === 0 ? 0.02 : -0.02) + shift) };
		const meter = await MovementMeter.open(session, 6);
		expect(Object.values(meter.state).every((values) => values.length === 512)).toBe(true);
		shift = 0.001;
		const { head, encoder } = await new MovementMeter(JSON.parse(JSON.stringify(meter.state))).measure(session, 7);
		// Values come as float32.
		expect(head.start).toBeCloseTo(0.02, 6);
		expect(head.change).toBeCloseTo(0.001, 6);
		expect(encoder.change).toBeCloseTo(0.001, 6);
	});
});

describe('rows on both sides', () => {
	const examples = (rows: number[][], classes: number[]) => {
		const offsets = new Int32Array(rows.length + 1);
		for (const [row, { length }] of rows.entries()) offsets[row + 1] = (offsets[row] as number) + length;
		return {
			tokens: tokensInMemory([{ ids: Int32Array.from(rows.flat()), offsets }]),
			targets: Int32Array.from(classes),
			lines: Int32Array.from(classes.keys()),
		};
	};
	it('are counted, token for token', async () => {
		const train = examples(
			[
				[1, 2, 3],
				[4, 5],
				[1, 2, 3],
				[2, 1],
			],
			[0, 1, 0, 1],
		);
		const other = examples(
			[
				[1, 2],
				[1, 2, 3],
				[1, 2, 3],
				[5, 4],
				[2, 1],
			],
			[0, 0, 0, 0, 1],
		);
		expect(await countRows(train, other, 3)).toEqual({ train: 4, perLabel: [2, 2, 0], eval: 5, shared: 3 });
		expect(await countRows(train, undefined, 3)).toMatchObject({ eval: 0, shared: 0 });
	});
	it('are told apart among many', async () => {
		const rows = Array.from({ length: 20_000 }, (_, row) => [row % 300, Math.floor(row / 300), 7]);
		const half = rows.length / 2;
		const none = new Array(half).fill(0);
		expect(await countRows(examples(rows.slice(0, half), none), examples(rows.slice(half), none), 1)).toMatchObject({ shared: 0 });
	});
});

const signs = ['friend happy free', 'alone tired sad', 'lost force bad'];
const rows: Row[] = Array.from({ length: 180 }, (_, row) => ({
	text: `${signs[row % 3]} ${'and so '.repeat(row % 5)}`,
	label: ['calm', 'worried', 'alarmed'][row % 3] as string,
}));
async function trained(name: string, changes: Partial<TrainerConfig>) {
	const outputDir = join(folder, name);
	const events: TrainerEvent[] = [];
	await using trainer = new Trainer({
		model: fixture('tiny-model'),
		train: rows,
		learningRate: 1e-3,
		numTrainEpochs: 3,
		threads: 1,
		outputDir,
		...changes,
	});
	const run = trainer.fit();
	try {
		for await (const event of run) events.push(event);
	} catch {
		// What ended the run is in what it leaves.
	}
	const { file, facts } = await readRun(outputDir);
	return { outputDir, file, facts, findings: diagnose(facts), warnings: events.filter((event) => event.type === 'warning').map(({ code }) => code) };
}
const record = (outputDir: string, name = 'run.json') => JSON.parse(readFileSync(join(outputDir, name), 'utf8'));

describe('a run', () => {
	it('leaves what a diagnosis needs, and the findings', async () => {
		const { outputDir, findings, facts, warnings } = await trained('leak', { eval: rows.slice(0, 30) });
		const run = record(outputDir);
		expect(run.curve.points).toHaveLength(69);
		expect(run.rows).toEqual({ train: 180, perLabel: [60, 60, 60], eval: 30, shared: 30 });
		expect(run.movement.step).toBe(69);
		expect(run.movement.head.change).toBeGreaterThan(0);
		expect(run.findings.map(({ code }: { code: string }) => code)).toEqual(findings.map(({ code }) => code));
		expect(findings.map(({ code }) => code)).toContain('EVALUATION_LEAK');
		expect(facts.status).toBe('finished');
		// Known from the first, said once.
		expect(warnings.filter((code) => code === 'EVALUATION_LEAK')).toHaveLength(1);
	});
	it('that fails leaves a record of its own, which the next good one removes', async () => {
		const { outputDir, file, facts, findings, warnings } = await trained('failing', { model: loud() });
		expect(file).toBe(join(outputDir, 'unfinished-run.json'));
		expect(facts).toMatchObject({ status: 'failed', points: [], error: { code: 'NON_FINITE' } });
		expect(findings.map(({ code }) => code)).toContain('GRADIENT_EXPLODING');
		expect(warnings).toContain('GRADIENT_EXPLODING');
		expect((await trained('failing', {})).file).toBe(join(outputDir, 'run.json'));
	});
	it('goes on with what it had gathered', async () => {
		const session = { parameter: async () => new Float32Array(600).fill(0.02) };
		const run = { ...healthyRun, session, layers: 2, defaults: {}, history: { epochs: [], evaluations: [] } } as unknown as Parameters<
			typeof RunWatch.open
		>[0];
		async function* steps(from: number, to: number): AsyncGenerator<TrainerEvent, { finished: boolean }> {
			for (let step = from; step <= to; step++)
				yield { type: 'step', step, epoch: step / 40, loss: 0.5, gradNorm: 2000, learningRate: 1e-5, tokens: 1 };
			return { finished: to === 120 };
		}
		const codes = async (watch: RunWatch, from: number, to: number) => {
			const seen: string[] = [];
			for await (const event of watch.over(steps(from, to))) if (event.type === 'warning') seen.push(event.code);
			return seen;
		};
		const whole = await RunWatch.open(run);
		const first = await RunWatch.open(run);
		expect(await codes(whole, 1, 120)).toEqual(['GRADIENT_EXPLODING']);
		expect(await codes(first, 1, 70)).toEqual(['GRADIENT_EXPLODING']);
		const second = await RunWatch.open(run, JSON.parse(JSON.stringify(first.state)));
		expect(await codes(second, 71, 120)).toEqual([]);
		expect(second.record).toEqual(whole.record);
	});
});

describe('a record from outside', () => {
	const given = (name: string, content: string | Uint8Array) => {
		const place = join(folder, name);
		mkdirSync(place);
		writeFileSync(join(place, 'run.json'), content);
		return place;
	};
	const refusal = (place: string) =>
		readRun(place).then(
			() => expect.fail('it was not refused'),
			(error) => error,
		);

	it('is refused where it is not there, no JSON, or no record', async () => {
		expect(await refusal(join(folder, 'nowhere'))).toMatchObject({ name: 'DataError', code: 'RUN_RECORD_NOT_FOUND' });
		const hostile = {
			empty: '',
			binary: Uint8Array.from([0xff, 0xfe, 0]),
			null: 'null',
			list: '[]',
			number: '7',
			older: '{"format":1,"status":"finished","config":{},"labels":["a","b"]}',
			nested: '['.repeat(100_000),
			deep: `{"config":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`,
		};
		for (const [name, content] of Object.entries(hostile)) {
			const error = await refusal(given(name, content));
			expect(error, name).toMatchObject({ code: 'RUN_RECORD_INVALID', hint: expect.any(String) });
			expect(error.message).toContain(join(name, 'run.json'));
		}
	});
	it('is refused with any of its values of another kind', async () => {
		const paths = (value: unknown, path: string[] = []): string[][] =>
			typeof value === 'object' && value !== null
				? Object.entries(value).flatMap(([key, each]) => [[...path, key], ...paths(each, [...path, key])])
				: [];
		const small = { ...healthyRun, curve: curveOf({ steps: 2 }), rows: healthyRun.rows, evaluations: healthyRun.evaluations.slice(0, 1) };
		let refused = 0;
		for (const [index, path] of paths(small).entries()) {
			for (const [kind, value] of [
				['text', 'x'],
				['negative', -1e308],
				['object', { toString: 1 }],
				['list', [[[]]]],
				['nothing', null],
			] as const) {
				const changed = JSON.parse(JSON.stringify(small));
				const parent = path.slice(0, -1).reduce((at, key) => at[key], changed);
				parent[path.at(-1) as string] = value;
				const place = given(`fuzz-${index}-${kind}`, JSON.stringify(changed));
				// Either a refusal of ours, or a diagnosis that can be printed.
				await readRun(place).then(
					({ file, facts }) => expect(diagnosisText(file, facts, diagnose(facts))).toContain('Looked at'),
					(error) => {
						refused += 1;
						expect(error).toMatchObject({ code: 'RUN_RECORD_INVALID' });
					},
				);
			}
		}
		expect(refused).toBeGreaterThan(100);
	});
	it('is refused where it is too large to be one, before it is read', async () => {
		const place = given('large', '');
		truncateSync(join(place, 'run.json'), 2 ** 29);
		expect(await refusal(place)).toMatchObject({ code: 'RUN_RECORD_TOO_LARGE' });
	});
	it('moves no cursor and pastes no command of its own', async () => {
		const config = { ...healthyRun.config, train: "a'; rm -rf ~; '.csv", eval: '\u001b[201~\nrm -rf ~', outputDir: '--help' };
		const bad = {
			...healthyRun,
			config,
			labels: ['\u001b[2Jcalm', 'worried\u202e'],
			rows: { ...healthyRun.rows, shared: 90, perLabel: [5, 5], train: 10 },
		};
		const { file, facts } = await readRun(given('pasted', JSON.stringify(bad)));
		const findings = diagnose(facts);
		const text = diagnosisText(file, facts, findings);
		for (const mover of ['\u001b', '\u202e']) expect(text).not.toContain(mover);
		expect(findings.map(({ next }) => next)).toEqual([
			"distiltune data check 'a'\\''; rm -rf ~; '\\''.csv' --against EVAL --fix CLEAN.csv",
			"distiltune data check 'a'\\''; rm -rf ~; '\\''.csv'",
		]);
	});
});

/** The tiny model with a head whose logits leave the range of float32. */
function loud(): string {
	const place = join(folder, 'loud');
	cpSync(fixture('tiny-model'), place, { recursive: true });
	const path = join(place, 'model.safetensors');
	const tensors = readSafetensors(readFileSync(path)).filter(({ name }) => !name.startsWith('classifier.'));
	const values = (count: number) => Buffer.from(new Float32Array(count).fill(3e38).buffer);
	tensors.push({ name: 'classifier.weight', dtype: 'F32', shape: [3, 48], data: values(3 * 48) });
	tensors.push({ name: 'classifier.bias', dtype: 'F32', shape: [3], data: values(3) });
	writeFileSync(path, safetensors(tensors));
	return place;
}
