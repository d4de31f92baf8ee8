import { describe, expect, it } from 'vitest';

import { spaceOf } from '../lib/cli/sweep.js';
import { holm, mcNemar, wilsonInterval } from '../lib/report/confidence.js';
import { planSweep, type SweepConfig } from '../lib/sweep/config.js';
import { medianStop } from '../lib/sweep/median.js';
import { isBetter, settledMetric } from '../lib/sweep/metric.js';
import { sweepPicture } from '../lib/sweep/picture.js';
import { bitsOf, type EndedRun, flagsOf, type SweepRecord } from '../lib/sweep/record.js';
import { gridTrials, randomTrials, sizeOf } from '../lib/sweep/space.js';
import { sweepTable } from '../lib/sweep/table.js';
import { verdictOf } from '../lib/sweep/verdict.js';

const accuracy = { name: 'accuracy', greaterIsBetter: true };
const loss = { name: 'loss', greaterIsBetter: false };

describe('the list of runs', () => {
	it('of a grid is every combination, the last option changing first', () => {
		expect(gridTrials({ learningRate: [1e-5, 2e-5], numTrainEpochs: [2, 3] })).toEqual([
			{ number: 1, options: { learningRate: 1e-5, numTrainEpochs: 2 } },
			{ number: 2, options: { learningRate: 1e-5, numTrainEpochs: 3 } },
			{ number: 3, options: { learningRate: 2e-5, numTrainEpochs: 2 } },
			{ number: 4, options: { learningRate: 2e-5, numTrainEpochs: 3 } },
		]);
	});

	const ranges = {
		learningRate: { low: 1e-5, high: 1e-3, distribution: 'log_uniform' },
		numTrainEpochs: { low: 2, high: 4, distribution: 'int_uniform' },
		warmupRatio: { low: 0, high: 0.2, distribution: 'uniform' },
		optim: ['adamw_torch', 'adamw_hf'],
	} as const;

	it('of draws is a function of the options: the same seed the same, more runs begin alike, another option changes none', () => {
		const twelve = randomTrials(ranges, 12, 42);
		expect(randomTrials(ranges, 12, 42)).toEqual(twelve);
		expect(randomTrials(ranges, 24, 42).slice(0, 12)).toEqual(twelve);
		expect(randomTrials(ranges, 12, 43)).not.toEqual(twelve);
		const fewer = randomTrials({ learningRate: ranges.learningRate }, 12, 42);
		expect(fewer.map(({ options }) => options.learningRate)).toEqual(twelve.map(({ options }) => options.learningRate));
		// Written down once: a list that moves would orphan the folders that are out there.
		expect(fewer.slice(0, 3).map(({ options }) => options.learningRate)).toEqual([1.29e-5, 1.17e-4, 1.72e-5]);
	});

	it('draws from the distribution that was asked for', () => {
		const trials = randomTrials(ranges, 600, 1);
		const column = (name: string) => trials.map(({ options }) => options[name] as number);
		const share = (name: string, test: (value: number) => boolean) => column(name).filter(test).length / trials.length;
		// Four standard errors of a share of one half of 600 draws are .08, of one third .077.
		expect(Math.abs(share('learningRate', (rate) => rate < 1e-4) - 0.5)).toBeLessThan(0.08);
		expect(Math.abs(share('warmupRatio', (ratio) => ratio < 0.1) - 0.5)).toBeLessThan(0.08);
		for (const epochs of [2, 3, 4]) expect(Math.abs(share('numTrainEpochs', (value) => value === epochs) - 1 / 3)).toBeLessThan(0.077);
		expect(Math.min(...column('learningRate'))).toBeGreaterThanOrEqual(1e-5);
		expect(Math.max(...column('learningRate'))).toBeLessThanOrEqual(1e-3);
		expect(new Set(column('optim')).size).toBe(2);
	});

	it('repeats no run, and knows how many there are', () => {
		const small = { numTrainEpochs: { low: 1, high: 3, distribution: 'int_uniform' }, seed: [1, 2] } as const;
		expect(sizeOf(small)).toBe(6);
		expect(sizeOf(ranges)).toBe(Number.POSITIVE_INFINITY);
		expect(new Set(randomTrials(small, 6, 5).map(({ options }) => JSON.stringify(options))).size).toBe(6);
	});
});

describe('what is typed', () => {
	it('names options either way, with values of the kind of the option', () => {
		expect(
			spaceOf(['learning-rate=1e-5,2e-5', 'groupByLength=true,false', 'optim=adamw_hf', 'classWeights=balanced;a=1,b=2', 'max_steps=3'], []),
		).toEqual({
			space: {
				learningRate: [1e-5, 2e-5],
				groupByLength: [true, false],
				optim: ['adamw_hf'],
				classWeights: ['balanced', { a: 1, b: 2 }],
				maxSteps: [3],
			},
			problems: [],
		});
	});

	it.each([
		['learningRate=1e-5..1e-4', { low: 1e-5, high: 1e-4, distribution: 'log_uniform' }],
		['numTrainEpochs=2..4', { low: 2, high: 4, distribution: 'int_uniform' }],
		['numTrainEpochs=2..4:uniform', { low: 2, high: 4, distribution: 'uniform' }],
		['warmupRatio=0..0.1', { low: 0, high: 0.1, distribution: 'uniform' }],
		['warmupRatio=0.01..0.1:uniform', { low: 0.01, high: 0.1, distribution: 'uniform' }],
	])('a range: %s', (word, range) => {
		expect(Object.values(spaceOf([], [word]).space)).toEqual([range]);
	});

	it('says which words it cannot read', () => {
		expect(spaceOf(['learningRate'], ['seed=1-5', 'seed=..']).problems).toEqual([
			'Expected `--grid` to be like learningRate=1e-5,2e-5, got "learningRate"',
			'Expected `--range` to be like learningRate=1e-5..1e-4, got "seed=1-5"',
			'Expected `--range` to be like learningRate=1e-5..1e-4, got "seed=.."',
		]);
		expect(spaceOf(['seed=1', 'seed=2'], []).problems).toEqual(['Expected `--seed` to be swept once, got it twice']);
	});
});

describe('a plan', () => {
	const base = { train: 'a.csv', eval: 'b.csv' };
	const problems = (config: Partial<SweepConfig>) => {
		try {
			planSweep({ base, space: { learningRate: [1e-5] }, ...config });
			return [];
		} catch (error) {
			return (error as { details: { problems: string[] } }).details.problems;
		}
	};

	it.each<[string, Partial<SweepConfig>, string]>([
		['nothing to sweep', { space: {} }, 'Expected options to sweep (grid, range), got none'],
		['a value out of range', { space: { learningRate: [2] } }, 'Expected `learningRate` to be a number above 0 and at most 1, got 2'],
		['an unknown option', { space: { learninRate: [1] } }, 'There is no option `learninRate` to sweep; did you mean `learningRate`?'],
		['an option of the whole sweep', { space: { outputDir: ['a'] } }, 'Expected all runs to share `outputDir`, but it is swept'],
		['an option twice', { base: { ...base, seed: 1 }, space: { seed: [1, 2] } }, 'Expected `seed` to be given or swept, got both'],
		['more runs than there are', { space: { seed: [1, 2] }, random: 3 }, 'Expected `random` to be at most 2, the different runs there are, got 3'],
		['no number of runs', { random: 1.5 }, 'Expected `random` to be a whole number from 1 to 1000, got 1.5'],
		[
			'too many combinations',
			{ space: { seed: [...Array(101).keys()], dataSeed: [...Array(10).keys()] } },
			'Expected at most 1000 combinations, got 1010; draw some of them with random',
		],
		[
			'a range of words',
			{ random: 1, space: { optim: { low: 0, high: 1, distribution: 'uniform' } } },
			'Expected a list of values of `optim`, which is no number, got the range 0..1',
		],
		[
			'a log range from 0',
			{ random: 1, space: { weightDecay: { low: 0, high: 1, distribution: 'log_uniform' } } },
			'Expected a log-uniform range of `weightDecay` to begin above 0, got 0..1',
		],
		[
			'rows that move with the seed',
			{ base: { train: 'a.csv', eval: { split: 0.1 } }, space: { seed: [1, 2] } },
			'Expected `dataSeed` to be given where `seed` is swept, because it also draws the rows that are held back',
		],
		[
			'options that do not go together in one of the runs',
			{ base: { ...base, lrSchedulerType: 'polynomial' }, space: { learningRate: [1e-5, 1e-8] } },
			'Expected `learningRate` to be above 1e-7, where polynomial ends, got 1e-8',
		],
		[
			'no rows to measure on',
			{ base: { train: 'a.csv' } },
			'Expected `eval` to name rows to measure on, because runs are compared by it, got nothing',
		],
	])('is refused for %s', (_, config, problem) => {
		expect(problems(config)).toEqual([problem]);
	});

	it('is refused once for a fault of all runs', () => {
		expect(problems({ base: { ...base, warmupRatio: 2 }, space: { seed: [1, 2, 3] } })).toEqual([
			'Expected `warmupRatio` to be a number from 0 to 1, got 2',
		]);
	});
});

describe('the median rule', () => {
	const course = (...values: number[]) => values.map((value, index) => ({ epoch: index + 1, value }));
	// Running averages after two passes: .65, .75, .85.
	const others = [course(0.6, 0.7, 0.9), course(0.7, 0.8, 0.9), course(0.8, 0.9, 0.9)];

	it('stops a run whose best value is worse than the median of running averages', () => {
		expect(medianStop(course(0.5, 0.74), others, accuracy)).toEqual({ best: 0.74, median: 0.75, runs: 3 });
		expect(medianStop(course(0.5, 0.76), others, accuracy)).toBeUndefined();
		// Its best so far counts, not its last.
		expect(medianStop(course(0.76, 0.1), others, accuracy)).toBeUndefined();
	});

	it('stops none that is level with it', () => {
		expect(medianStop(course(0.5, 0.75), others, accuracy)).toBeUndefined();
	});

	it('knows metrics that fall, and numbers that are none', () => {
		expect(medianStop(course(0.76), others, loss)).toMatchObject({ best: 0.76, median: 0.7 });
		expect(medianStop(course(0.6), others, loss)).toBeUndefined();
		expect(medianStop(course(Number.NaN), others, loss)?.best).toBeNaN();
	});

	it('leaves a run alone within its first pass, and where fewer than three have finished', () => {
		expect(
			medianStop(
				[{ epoch: 0.99, value: 0 }],
				others.map((each) => [{ epoch: 0.5, value: 0.9 }, ...each]),
				accuracy,
			),
		).toBeUndefined();
		expect(medianStop(course(0, 0), others.slice(1), accuracy)).toBeUndefined();
	});

	it('takes the median of an even number as the mean of the middle two', () => {
		expect(medianStop(course(0.1), [...others, course(0.75)], accuracy)?.median).toBeCloseTo(0.725, 12);
	});
});

describe('the metric', () => {
	it('is accuracy, else the loss, with the direction of its name', () => {
		expect(settledMetric({ loss: 1, accuracy: 0.5 })).toEqual(accuracy);
		expect(settledMetric({ loss: 1, mse: 1 })).toEqual(loss);
		expect(settledMetric({ loss: 1, mse: 1 }, 'eval_mse')).toEqual({ name: 'mse', greaterIsBetter: false });
		expect(settledMetric({ loss: 1, f1: 1 }, 'f1', 'minimize')).toEqual({ name: 'f1', greaterIsBetter: false });
		expect(() => settledMetric({ loss: 1, text: 'a' }, 'text')).toThrow('measured (loss), got "text"');
	});

	it('counts no number as worse than any', () => {
		expect([isBetter(Number.NaN, 1, loss), isBetter(1, Number.NaN, loss), isBetter(1, 1, loss), isBetter(1, 2, loss)]).toEqual([
			false,
			true,
			false,
			true,
		]);
	});
});

describe('confidence', () => {
	it("is Wilson's interval", () => {
		// scipy 1.17.1, binomtest(hits, rows).proportion_ci(method='wilson'), to 12 digits.
		const known = [
			[189, 200, 0.904213001228, 0.969014658297],
			[10, 10, 0.722467200137, 1],
			[0, 7, 0, 0.354330435067],
			[1889, 2000, 0.933587193554, 0.953708551413],
		] as const;
		for (const [hits, rows, low, high] of known) {
			const interval = wilsonInterval(hits, rows);
			expect(interval[0]).toBeCloseTo(low, 9);
			expect(interval[1]).toBeCloseTo(high, 9);
		}
		expect(wilsonInterval(0, 0)).toEqual([0, 1]);
	});

	it("is McNemar's mid-p", () => {
		// 2 P(X < least) + P(X = least) of a fair coin, counted by hand: of 10 flips 1 and 10 make 11 of 1024.
		expect(mcNemar(1, 9)).toBeCloseTo((2 * 1 + 10) / 1024, 12);
		expect(mcNemar(9, 1)).toBe(mcNemar(1, 9));
		expect(mcNemar(0, 5)).toBeCloseTo(1 / 32, 12);
		expect(mcNemar(2, 2)).toBeCloseTo(1 - 6 / 16 / 2, 12);
		expect(mcNemar(0, 0)).toBe(1);
		// So many that a single probability is below the smallest double; the normal curve, which is near enough by then, says .15473 (z = 90 / sqrt(4000)).
		expect(mcNemar(1955, 2045)).toBeCloseTo(0.1547, 3);
	});

	it('is corrected by Holm', () => {
		expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
		expect(holm([0.9, 0.8])).toEqual([1, 1]);
	});
});

describe('a verdict', () => {
	const rows = 100;
	const firstRight = (count: number) => Array.from({ length: rows }, (_, row) => row < count);
	const run = (number: number, right: readonly boolean[], more: Partial<EndedRun> = {}): EndedRun => ({
		...{ number, options: { seed: number }, status: 'finished', points: [{ epoch: 1, value: 0.5 }], steps: 10, seconds: 1 },
		...{ metrics: { accuracy: right.filter(Boolean).length / rows, loss: 0.5 }, right: bitsOf(right) },
		...more,
	});
	const record = (...runs: EndedRun[]): SweepRecord => ({
		...{ format: 1, sweep: {}, versions: { distiltune: '0', node: '0' }, planned: runs.length, metric: accuracy, runs },
		data: { train: { source: 'a', rows: 9, sha256: '' }, eval: { source: 'b', rows, sha256: '' } },
	});

	it('keeps flags as bits', () => {
		expect(flagsOf(bitsOf(firstRight(37)), rows)).toEqual(firstRight(37));
	});

	it('says so where the best stands out', () => {
		const verdict = verdictOf(record(run(1, firstRight(60)), run(2, firstRight(95)), run(3, firstRight(50))));
		expect(verdict?.ranking.map((standing) => standing.run.number)).toEqual([2, 1, 3]);
		expect(verdict?.ranking[0]?.interval).toEqual(wilsonInterval(95, rows));
		expect(verdict?.notes[0]).toMatchObject({
			uncertain: false,
			text: expect.stringContaining('Run 2 gets more rows right than each of the others'),
		});
	});

	it('warns where it does not, naming those it cannot be told from', () => {
		const close = record(run(1, firstRight(93)), run(2, firstRight(95)), run(3, firstRight(50)));
		expect(verdictOf(close)?.notes[0]).toMatchObject({ uncertain: true, text: expect.stringContaining('run 2 cannot be told from run 1 (') });
		expect(sweepTable(close)).toContain('Warning: The differences are inside the uncertainty');
	});

	it('tells runs apart whose intervals overlap, because they are measured on the same rows', () => {
		const [low, high] = [run(1, firstRight(80)), run(2, firstRight(90))];
		const verdict = verdictOf(record(low, high));
		expect(wilsonInterval(80, rows)[1]).toBeGreaterThan(wilsonInterval(90, rows)[0]);
		expect(verdict?.ranking[1]?.p).toBeLessThan(0.01);
		expect(verdict?.notes[0]?.uncertain).toBe(false);
	});

	it('ranks equal runs by loss, and leaves out what did not finish', () => {
		const stopped = run(3, [], { status: 'stopped', metrics: null, right: null, stop: { best: 0.1, median: 0.5, runs: 3 } });
		const failed = run(4, [], { status: 'failed', metrics: null, right: null, error: { code: 'NON_FINITE', message: 'a | b' } });
		const equal = record(run(1, firstRight(90)), run(2, firstRight(90), { metrics: { accuracy: 0.9, loss: 0.1 } }), stopped, failed);
		expect(verdictOf(equal)?.ranking.map((standing) => standing.run.number)).toEqual([2, 1]);
		expect(sweepTable(equal)).toMatch(/\| stopped at epoch 1: best 0\.1000, median 0\.5000/);
		expect(sweepTable(equal)).toContain('failed: NON_FINITE');
		expect(verdictOf(record(failed))).toBeUndefined();
	});

	it('claims no test where rows have no one label', () => {
		const without = record(run(1, [], { right: null, metrics: { accuracy: 0.5 } }), run(2, [], { right: null, metrics: { accuracy: 0.6 } }));
		expect(verdictOf(without)?.notes[0]).toMatchObject({ uncertain: true, text: expect.stringContaining('no paired test of accuracy') });
	});

	it('is drawn, whatever the options are called, and with nothing to draw', () => {
		const odd = run(1, firstRight(60), { options: { model: 'a<b>&"c"\u0001' } });
		const svg = sweepPicture(record(odd, run(2, firstRight(70))));
		expect(svg).toContain('a&lt;b&gt;&amp;&quot;c&quot;');
		expect(svg.match(/r="4.5"/g)).toHaveLength(2);
		expect(sweepPicture({ ...record(), metric: null })).toMatch(/<\/svg>\n$/);
		expect(svg + sweepPicture({ ...record(), metric: null })).not.toContain('NaN');
	});
});
