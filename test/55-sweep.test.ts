import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Classifier } from '../lib/classifier.js';
import type { SweepConfig } from '../lib/sweep/config.js';
import type { SweepRecord } from '../lib/sweep/record.js';
import { type SweepEvent, sweep } from '../lib/sweep/sweep.js';
import { fixture, root } from './models.js';

// Whole sweeps of the tiny model: what they leave, and how they go on.

const tiny = fixture('tiny-model');
const main = join(root, 'dist', 'cli', 'main.js');
const labels = ['calm', 'worried', 'alarmed'];
const signs = ['friend happy free', 'alone tired sad', 'lost force bad'];

let folder: string;
let csv: string;
let base: SweepConfig['base'];
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-sweep-'));
	csv = join(folder, 'rows.csv');
	const rows = Array.from({ length: 120 }, (_, row) => `${signs[(row * 7 + (row % 11 === 0 ? 1 : 0)) % 3]},${labels[(row * 7) % 3]}\n`);
	writeFileSync(csv, `text,label\n${rows.join('')}`);
	base = { model: tiny, train: csv, eval: { split: 0.3 }, labels, numTrainEpochs: 3, threads: 1 };
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The first three learn, the last two do not. */
const space = { learningRate: [3e-4, 1e-3, 2e-3, 1e-7, 2e-7] };
const recordOf = (path: string): SweepRecord => JSON.parse(readFileSync(join(path, 'sweep.json'), 'utf8'));
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
/** All of a record but what the clock says. */
const timeless = (record: SweepRecord) => ({ ...record, runs: record.runs.map(({ seconds: _, ...run }) => run) });
let places = 0;
const place = () => join(folder, `sweep-${places++}`);

async function swept(changes: Partial<SweepConfig> = {}, outputDir = place(), onEvent?: (event: SweepEvent) => void, signal?: AbortSignal) {
	const result = await sweep({ base: { ...base, outputDir }, space, ...changes }, { signal, ...(onEvent && { onEvent }) });
	return { ...result, folder: outputDir };
}

let whole: Awaited<ReturnType<typeof swept>>;
const story: SweepEvent[] = [];
beforeAll(async () => {
	whole = await swept({}, place(), (event) => story.push(event));
});

describe('a sweep', () => {
	it('runs every combination, and stops those that lag behind the median', () => {
		expect(whole.record.runs.map(({ number, options, status }) => [number, options.learningRate, status])).toEqual([
			[1, 3e-4, 'finished'],
			[2, 1e-3, 'finished'],
			[3, 2e-3, 'finished'],
			[4, 1e-7, 'stopped'],
			[5, 2e-7, 'stopped'],
		]);
		// After its first pass over the rows, the earliest the rule may speak.
		expect(whole.record.runs[3]).toMatchObject({ points: [{ epoch: 1 }], stop: { runs: 3 }, metrics: null, right: null });
		expect(story.map(({ type }) => type).filter((type) => /^(sweep|run)/.test(type))).toEqual([
			'sweepBegin',
			...Array(5).fill(['runBegin', 'runEnd']).flat(),
		]);
	});

	it('records which rows each run got right: as many as its accuracy says', () => {
		const { record } = whole;
		expect(record.metric).toEqual({ name: 'accuracy', greaterIsBetter: true });
		expect(record.data.eval.rows).toBe(36);
		for (const run of record.runs.slice(0, 3)) {
			const bits = [...Buffer.from(run.right as string, 'base64')].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
			expect(bits / 36).toBe(run.metrics?.accuracy);
		}
	});

	it('keeps the model of the best and the records of the others', async () => {
		const best = whole.verdict.ranking[0]?.run.number as number;
		expect(readdirSync(whole.folder).sort()).toEqual(
			['best', 'run-1', 'run-2', 'run-3', 'run-4', 'run-5', 'sweep.json', 'sweep.md', 'sweep.svg'].filter((name) => name !== `run-${best}`),
		);
		for (const name of readdirSync(whole.folder).filter((each) => each.startsWith('run-'))) {
			// Of a run that was stopped there is no model to be beside.
			expect([['run.json', 'trainer_state.json'], ['unfinished-run.json']]).toContainEqual(readdirSync(join(whole.folder, name)).sort());
		}
		expect(JSON.parse(readFileSync(join(whole.best, 'run.json'), 'utf8')).config.learningRate).toBe(
			whole.verdict.ranking[0]?.run.options.learningRate,
		);
		await using classifier = await Classifier.load(whole.best);
		expect((await classifier.predict('alone tired sad')).label).toBe('worried');
	});

	it('warns where the runs cannot be told apart, in the table too', () => {
		expect(whole.verdict.notes[0]).toMatchObject({
			uncertain: true,
			text: expect.stringContaining('The differences are inside the uncertainty: on 36 rows'),
		});
		const table = readFileSync(join(whole.folder, 'sweep.md'), 'utf8');
		expect(table).toContain('Warning: The differences are inside the uncertainty');
		expect(table.match(/^\| \d/gm)).toHaveLength(5);
		expect(readFileSync(join(whole.folder, 'sweep.svg'), 'utf8')).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>\n$/);
	});

	it('stops none where that is not wanted', async () => {
		const { record } = await swept({ medianStop: false });
		expect(record.runs.map(({ status }) => status)).toEqual(Array(5).fill('finished'));
	});

	it('compares by any metric, by its own direction', async () => {
		const { record, verdict } = await swept({ space: { learningRate: [1e-7, 1e-3] }, metric: 'eval_loss' });
		expect(record.metric).toEqual({ name: 'loss', greaterIsBetter: false });
		expect(verdict.ranking.map(({ run }) => run.number)).toEqual([2, 1]);
		const label = await swept({ space: { learningRate: [1e-7, 1e-3] }, metric: 'perLabel.calm.recall' });
		expect(label.verdict.ranking.map(({ value }) => value)).toEqual([expect.any(Number), expect.any(Number)]);
		await expect(swept({ space: { learningRate: [1e-7] }, metric: 'acuracy' })).rejects.toMatchObject({
			code: 'OPTIONS_INVALID',
			message: expect.stringMatching(/measured \(loss, accuracy, .*got "acuracy"/),
		});
	});

	it('goes on where one run fails, and says what they said where all do', async () => {
		const model = join(folder, 'endless');
		cpSync(tiny, model, { recursive: true });
		const path = join(model, 'model.safetensors');
		const bytes = readFileSync(path);
		// NaN in the last values of the file, whichever parameter that is.
		for (let at = bytes.length - 64; at < bytes.length; at += 4) bytes.writeFloatLE(Number.NaN, at);
		writeFileSync(path, bytes);
		const { record, verdict } = await swept({
			base: { ...base, model: undefined as never, outputDir: join(folder, 'mixed') },
			space: { model: [model, tiny] },
		});
		expect(record.runs.map(({ status, error }) => [status, error?.code])).toEqual([
			['failed', 'NON_FINITE'],
			['finished', undefined],
		]);
		expect(verdict.ranking).toHaveLength(1);
		expect(verdict.notes[0]?.text).toContain('Only run 2 finished');
		await expect(swept({ base: { ...base, model, outputDir: join(folder, 'none') } })).rejects.toMatchObject({ code: 'SWEEP_FAILED' });
	});
});

describe('a sweep that is broken off', () => {
	it('goes on after an abort with the runs that are missing, and ends as if it had not been', async () => {
		const outputDir = place();
		const controller = new AbortController();
		const seen: SweepEvent[] = [];
		const stopInThird = (event: SweepEvent) => {
			seen.push(event);
			if ('run' in event && event.run === 3 && event.type === 'step' && event.step === 5) controller.abort('SIGINT');
		};
		await expect(swept({}, outputDir, stopInThird, controller.signal)).rejects.toMatchObject({
			name: 'AbortError',
			cause: 'SIGINT',
			details: { ended: 2, runs: 5 },
		});
		expect(recordOf(outputDir).runs).toHaveLength(2);
		const again: number[] = [];
		const { record } = await swept({}, outputDir, (event) => event.type === 'runBegin' && again.push(event.run));
		expect(again).toEqual([3, 4, 5]);
		expect(timeless(record)).toEqual(timeless(whole.record));
		expect(sha256(join(outputDir, 'best', 'model.safetensors'))).toBe(sha256(join(whole.best, 'model.safetensors')));
	});

	it('does nothing where nothing is missing', async () => {
		const again: string[] = [];
		const before = readFileSync(join(whole.folder, 'sweep.json'), 'utf8');
		await swept({}, whole.folder, ({ type }) => again.push(type));
		expect(again).toEqual(['sweepBegin']);
		expect(readFileSync(join(whole.folder, 'sweep.json'), 'utf8')).toBe(before);
	});

	it('trains the best again where its model was removed', async () => {
		const outputDir = place();
		cpSync(whole.folder, outputDir, { recursive: true });
		rmSync(join(outputDir, 'best'), { recursive: true });
		const { verdict } = await swept({}, outputDir);
		expect(verdict.ranking[0]?.run.number).toBe(whole.verdict.ranking[0]?.run.number);
		expect(existsSync(join(outputDir, 'best', 'model.safetensors'))).toBe(true);
	});

	it('takes more random runs, which begin with the same', async () => {
		const outputDir = place();
		const random = { space: { learningRate: { low: 1e-4, high: 1e-2, distribution: 'log_uniform' } } } as const;
		const two = await swept({ ...random, random: 2 }, outputDir);
		const three = await swept({ ...random, random: 3 }, outputDir);
		expect(three.record.runs.slice(0, 2)).toEqual(two.record.runs);
		await expect(swept({ ...random, random: 2 }, outputDir)).rejects.toMatchObject({
			code: 'SWEEP_DIFFERENT',
			message: expect.stringContaining('it had 3 runs, now 2'),
		});
	});

	it.each<[string, Partial<SweepConfig>, Partial<SweepConfig['base']>, string]>([
		['other values', { space: { learningRate: [1e-3] } }, {}, 'learningRate was [0.0003,0.001,0.002,1e-7,2e-7], now [0.001]'],
		['another option', {}, { seed: 7 }, 'seed was not given, now 7'],
		['another rule', { medianStop: false }, {}, 'medianStop was true, now false'],
	])('refuses a folder of a sweep with %s', async (_, changes, options, sentence) => {
		const refused = sweep({ base: { ...base, ...options, outputDir: whole.folder }, space, ...changes });
		await expect(refused).rejects.toMatchObject({ code: 'SWEEP_DIFFERENT', message: expect.stringContaining(sentence) });
	});

	it('refuses a folder of a sweep on other rows, whatever their file is called', async () => {
		const [same, other] = [join(folder, 'same.csv'), join(folder, 'other.csv')];
		cpSync(csv, same);
		writeFileSync(other, `${readFileSync(csv, 'utf8')}lost,alarmed\n`);
		const sentence = `the rows of train were others (120 of ${csv})`;
		await expect(swept({ base: { ...base, train: other, outputDir: whole.folder } })).rejects.toMatchObject({
			code: 'SWEEP_DIFFERENT',
			message: expect.stringContaining(sentence),
		});
		expect((await swept({ base: { ...base, train: same, outputDir: whole.folder } })).record.runs).toEqual(whole.record.runs);
	});

	it('refuses a second process at the same folder', async () => {
		const outputDir = place();
		let second: Promise<unknown> | undefined;
		const meanwhile = () => {
			second ??= swept({}, outputDir).then(
				() => 'ran',
				(error: unknown) => error,
			);
		};
		await swept({ space: { learningRate: [1e-3] } }, outputDir, meanwhile);
		expect(await second).toMatchObject({ code: 'SWEEP_BUSY' });
	});
});

describe('distiltune sweep', () => {
	const args = (outputDir: string) => [
		...['sweep', '--model', tiny, '--train', csv, '--eval-split', '0.3', '--labels', labels.join(','), '--threads', '1', '--num-train-epochs', '40'],
		...['--grid', 'learning-rate=3e-4,1e-3,2e-3,1e-7,2e-7', '--output-dir', outputDir, '--json'],
	];
	/** The same without a break; long enough for a signal to arrive within its third run. */
	let unbroken: Awaited<ReturnType<typeof swept>>;
	beforeAll(async () => {
		unbroken = await swept({ base: { ...base, numTrainEpochs: 40, outputDir: join(folder, 'unbroken') } }, join(folder, 'unbroken'));
	});
	const linesOf = (text: string) =>
		text
			.split('\n')
			.filter((line) => line !== '')
			.map((line) => JSON.parse(line));

	/** Starts the sweep and sends `signal` at the first step of run 3. */
	async function interrupted(outputDir: string, signal: NodeJS.Signals): Promise<{ status: number | null; told: string }> {
		const child = spawn(process.execPath, [main, ...args(outputDir)]);
		let told = '';
		child.stdout.on('data', (piece) => {
			told += piece;
			if (/"run":3\b/.test(told) && !child.killed) child.kill(signal);
		});
		const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
		return { status, told };
	}

	it.each([
		['SIGKILL', null],
		['SIGINT', 130],
	] as const)('goes on after %s', async (signal, code) => {
		const outputDir = place();
		const { status, told } = await interrupted(outputDir, signal);
		expect(status).toBe(code);
		const before = recordOf(outputDir).runs;
		expect(before.length).toBeGreaterThanOrEqual(2);
		expect(before.length).toBeLessThan(5);
		if (signal === 'SIGINT') expect(linesOf(told).at(-1).error).toMatchObject({ code: 'ABORTED', details: { ended: before.length } });
		const { status: end, stdout, stderr } = spawnSync(process.execPath, [main, ...args(outputDir)], { encoding: 'utf8' });
		expect(end, stderr).toBe(0);
		const lines = linesOf(stdout);
		expect(lines[0]).toMatchObject({ type: 'sweepBegin', runs: 5, ended: before.length });
		expect(Object.keys(lines.at(-1))).toEqual(['type', 'metric', 'outputDir', 'best', 'ranking', 'runs', 'notes']);
		expect(lines.at(-1).best).toMatchObject({ folder: join(outputDir, 'best'), run: unbroken.verdict.ranking[0]?.run.number });
		expect(recordOf(outputDir).runs.slice(0, before.length)).toEqual(before);
		expect(timeless(recordOf(outputDir)).runs).toEqual(timeless(unbroken.record).runs);
		expect(sha256(join(outputDir, 'best', 'model.safetensors'))).toBe(sha256(join(unbroken.best, 'model.safetensors')));
		expect(readdirSync(outputDir).filter((name) => /tmp-|lock/.test(name))).toEqual([]);
	});

	it('says all that is wrong at once, before the first run', () => {
		const outputDir = place();
		const wrong = ['--grid', 'numTrainEpochs=2,x', '--grid', 'sed=1', '--range', 'warmup_ratio=.1..0', '--warmup-steps', '-1', '--train', csv];
		const { status, stdout } = spawnSync(process.execPath, [main, 'sweep', ...wrong, '--output-dir', outputDir, '--json'], { encoding: 'utf8' });
		expect(status).toBe(2);
		expect(linesOf(stdout)[0].error).toMatchObject({
			code: 'OPTIONS_INVALID',
			details: {
				problems: [
					'Expected `--num-train-epochs` to be a number above 0, got "x"',
					'There is no option `--sed` to sweep; did you mean `--seed`?',
					'Expected the number of runs to draw (random) beside a range of `--warmup-ratio`, got none',
					'Expected a range of `--warmup-ratio` to rise, got 0.1..0',
					'Expected `--eval` to name rows to measure on, because runs are compared by it, got nothing',
					'Expected `--warmup-steps` to be a whole number from 0 up, got -1',
				],
			},
		});
		expect(existsSync(outputDir)).toBe(false);
	});
});
