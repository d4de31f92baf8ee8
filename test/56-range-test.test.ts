import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { proposalOf } from '../lib/sweep/proposal.js';
import { rangeCurve, rangeWords } from '../lib/sweep/range-paper.js';
import { DivergenceWatch, highestRate, lowestRate, rangeTest } from '../lib/sweep/range-test.js';
import { rateAt } from '../lib/train/schedule.js';
import { fixture, root } from './models.js';
import { randomNumbers } from './random.js';

const tiny = fixture('tiny-model');
const labels = ['calm', 'worried', 'alarmed'];
const signs = ['friend happy free', 'alone tired sad', 'lost force bad'];
const rows = Array.from({ length: 120 }, (_, row) => ({ text: signs[row % 3] as string, label: labels[row % 3] as string }));
const config = { model: tiny, train: rows, labels, threads: 1 };

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-range-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the rates', () => {
	it('rise by the same factor a step, from the lowest to the highest', () => {
		const schedule = { name: 'geometric', learningRate: lowestRate, warmup: 0, totalSteps: 61, kwargs: { lrEnd: highestRate } } as const;
		expect(rateAt(0, schedule)).toBe(lowestRate);
		// Rounding of one power.
		expect(rateAt(60, schedule) / highestRate).toBeCloseTo(1, 12);
		expect(rateAt(31, schedule) / rateAt(30, schedule)).toBeCloseTo(10 ** 0.1, 12);
	});
});

describe('a proposal', () => {
	const steps = 300;
	const rateOf = (step: number) => lowestRate * (highestRate / lowestRate) ** (step / (steps - 1));
	/** A fall around `fast`, then a rise from `high` on, under noise. */
	const curve = (fast: number, high: number, fall: number, noise: number) => {
		const draw = randomNumbers(7);
		return Array.from({ length: steps }, (_, step) => {
			const rate = rateOf(step);
			const fallen = fall / (1 + (fast / rate) ** 2);
			return { learningRate: rate, loss: 0.7 - fallen + (rate / high) ** 2 + noise * (draw() - 0.5) };
		});
	};

	it.each([1e-5, 5e-5, 3e-4])('is the rate of the steepest fall: %f', (fast) => {
		const { proposal, tenth, lowest, startLoss } = proposalOf(curve(fast, 100 * fast, 0.5, 0.1), steps);
		// Noise moves the place by a fraction of the window, which is three quarters of a factor of ten.
		expect(Math.abs(Math.log10((proposal as number) / fast))).toBeLessThan(0.3);
		expect(tenth).toBe(Number((lowest / 10).toPrecision(2)));
		expect(startLoss).toBeCloseTo(0.7, 1);
	});

	it('is none where the loss only scatters, falls by next to nothing, or rises', () => {
		for (const [fall, noise] of [
			[0, 0.3],
			[0.01, 0.01],
			[-0.3, 0.1],
		] as const) {
			expect(proposalOf(curve(5e-5, 5e-3, fall, noise), steps)).toMatchObject({ proposal: null, tenth: null });
		}
	});
});

describe('a loss', () => {
	const fed = (losses: readonly number[]) => {
		const watch = new DivergenceWatch(100);
		return losses.findIndex((loss) => watch.diverges(loss));
	};
	const flat = (loss: number, count: number) => Array<number>(count).fill(loss);

	it('has diverged where it is four times its best and above its start, smoothed over a few steps', () => {
		expect(fed([...flat(0.7, 20), ...flat(0.1, 20), ...flat(0.6, 60)])).toBe(-1);
		expect(fed([...flat(0.7, 20), ...flat(0.1, 20), 5, ...flat(0.1, 20)])).toBe(40);
		expect(fed([...flat(0.7, 20), ...flat(0.1, 20), 1, ...flat(0.1, 20)])).toBe(-1);
		// A quarter of a step's share in a mean four steps long: the first is not enough.
		expect(fed([...flat(0.7, 40), ...flat(4, 10)])).toBeGreaterThan(41);
	});

	it('has diverged where it is no number', () => {
		expect(fed([0.7, 0.7, Number.NaN])).toBe(2);
	});
});

describe('a range test', () => {
	it('finds a rate that trains, and writes nothing', async () => {
		const outputDir = join(folder, 'untouched');
		const test = await rangeTest({ ...config, outputDir, learningRate: 0.5 });
		expect(test.points[0]).toMatchObject({ step: 1, learningRate: lowestRate });
		// The tests of whole runs train this model at 3e-4 to 2e-3.
		expect(test.proposal).toBeGreaterThan(2e-5);
		expect(test.proposal).toBeLessThan(3e-3);
		expect(rangeWords(test)).toMatch(/^Proposal: --learning-rate [\d.e-]+, where the loss falls fastest/);
		expect(readdirSync(folder)).toEqual([]);
	});

	it('says that it found none where there is nothing to learn', async () => {
		const draw = randomNumbers(3);
		const train = Array.from({ length: 400 }, () => ({ text: signs[Math.floor(3 * draw())] as string, label: draw() < 0.5 ? 'heads' : 'tails' }));
		const test = await rangeTest({ model: 'minilm-l6', train, maxSteps: 100, threads: 2 });
		expect(test).toMatchObject({ proposal: null, tenth: null });
		expect(rangeWords(test)).toMatch(/^No proposal: the loss fell from 0\.\d{4} to 0\.\d{4} at best, too little/);
		expect(rangeCurve(test)).toContain('no proposal');
	});

	it('finds a rate of the kind the README trains minilm-l6 at', async () => {
		const train = rows.map(({ text }, row) => ({ text, label: row % 3 === 0 ? 'calm' : 'worried' }));
		const test = await rangeTest({ model: 'minilm-l6', train, maxSteps: 100, threads: 2 });
		// That is 5e-5, and a range test is good for a factor of ten.
		expect(test.proposal).toBeGreaterThan(5e-6);
		expect(test.proposal).toBeLessThan(5e-4);
	});

	it('ends where it is told to, and refuses too few steps', async () => {
		const seen: number[] = [];
		const controller = new AbortController();
		const onEvent = (event: { readonly type: string; readonly step?: number }) => {
			if (event.type === 'step' && seen.push(event.step as number) === 10) controller.abort('SIGINT');
		};
		await expect(rangeTest(config, { signal: controller.signal, onEvent })).rejects.toMatchObject({ name: 'AbortError', cause: 'SIGINT' });
		await expect(rangeTest({ ...config, maxSteps: 20 })).rejects.toMatchObject({
			code: 'OPTIONS_INVALID',
			message: expect.stringContaining('at least 50'),
		});
	});

	it('is a flag of train that leaves a curve and a record', () => {
		const csv = join(folder, 'rows.csv');
		writeFileSync(csv, `text,label\n${rows.map(({ text, label }) => `${text},${label}\n`).join('')}`);
		const outputDir = join(folder, 'found');
		const args = [
			'train',
			'--find-learning-rate',
			'--model',
			tiny,
			'--train',
			csv,
			'--labels',
			labels.join(','),
			'--output-dir',
			outputDir,
			'--json',
		];
		const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { encoding: 'utf8' });
		expect(status, stderr).toBe(0);
		expect(readdirSync(outputDir).sort()).toEqual(['learning-rate.json', 'learning-rate.svg']);
		const lines = stdout
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line));
		const record = JSON.parse(readFileSync(join(outputDir, 'learning-rate.json'), 'utf8'));
		expect(lines.at(-1)).toMatchObject({ type: 'result', proposal: record.proposal, lowest: record.lowest, steps: 300 });
		expect(record.points).toHaveLength(lines.length - 1);
		expect(record.smoothed).toHaveLength(record.points.length);
		expect(readFileSync(join(outputDir, 'learning-rate.svg'), 'utf8')).not.toContain('NaN');
	});
});
