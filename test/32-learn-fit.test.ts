import { expect, test } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import type { Head, HeadFitOptions } from '../lib/runtime/native.js';
import { referenceJson } from './models.js';

// The fit of a head against scikit-learn's LogisticRegression; native/model/test/head_fit_test.cpp holds its gradient to differences.

interface Problem {
	readonly name: string;
	readonly l2: number;
	readonly features: readonly (readonly number[])[];
	readonly classes: readonly number[];
	/** With one row a label, also for two labels; bias without its mean. */
	readonly weight: readonly (readonly number[])[];
	readonly bias: readonly number[];
	/** Sum of -log softmax, plus l2 / 2 |weight|². */
	readonly objective: number;
}

const problems = referenceJson('logistic-regression.json.gz') as Problem[];

const optionsOf = ({ features, classes, weight, l2 }: Problem): HeadFitOptions => ({
	features: Float32Array.from(features.flat()),
	classes: Int32Array.from(classes),
	labels: weight.length,
	l2,
	threads: 1,
});

async function fitted(options: HeadFitOptions): Promise<{ head: Head; iterations: number; converged: boolean }> {
	const fit = await loadBase().openHeadFit(options);
	const outcome = { ...(await fit.advance(1000)), head: await fit.head() };
	await fit.close();
	return outcome;
}

const logitsOf = ({ features, classes }: Problem, { weight, bias }: Head): number[][] =>
	classes.map((_, row) => {
		const x = Float32Array.from(features[row] as readonly number[]);
		return Array.from(bias, (value, label) => x.reduce((sum, each, i) => sum + each * (weight[label * x.length + i] as number), value));
	});

/** Sum of -log softmax, in plain doubles. */
function lossOf(problem: Problem, head: Head): number {
	return logitsOf(problem, head).reduce((sum, z, row) => {
		const largest = Math.max(...z);
		return sum + Math.log(z.reduce((total, value) => total + Math.exp(value - largest), 0)) + largest - (z[problem.classes[row] as number] as number);
	}, 0);
}

test('there are problems of every kind', () => {
	expect(problems.map(({ name }) => name)).toHaveLength(8);
});

test.each(problems.map((problem) => [problem.name, problem] as const))("%s: the optimum is scikit-learn's", async (_, problem) => {
	const { head, converged } = await fitted(optionsOf(problem));
	expect(converged).toBe(true);
	const squares = head.weight.reduce((sum, value) => sum + value * value, 0);
	const objective = lossOf(problem, head) + (problem.l2 / 2) * squares;
	// The gradient is nothing there, so neither what is left of it nor the rounding to float32 shows in the objective.
	expect(Math.abs(objective / problem.objective - 1)).toBeLessThan(1e-8);
	const mean = head.bias.reduce((sum, value) => sum + value, 0) / head.bias.length;
	const got = [...head.weight, ...head.bias.map((value) => value - mean)];
	const want = [...problem.weight.flat(), ...problem.bias];
	expect(got).toHaveLength(want.length);
	// Of the largest value: rounding to float32 leaves 6e-8, what is left of the gradient about as much (head_fit.h).
	const largest = Math.max(...want.map(Math.abs));
	for (const [i, value] of want.entries()) expect(Math.abs((got[i] as number) - value) / largest, `value ${i}`).toBeLessThan(1e-6);
});

test('logits are those of the head that is given', async () => {
	const [problem] = problems as [Problem];
	const fit = await loadBase().openHeadFit(optionsOf(problem));
	const head = { weight: Float32Array.from(problem.weight.flat(), Math.sin), bias: Float32Array.from(problem.bias, Math.cos) };
	const want = logitsOf(problem, head).flat();
	const got = await fit.logits(head);
	expect(got).toHaveLength(want.length);
	// Doubles in another order, rounded to float32: half a unit in the last place of a value below 16.
	for (const [i, value] of want.entries()) expect(Math.abs((got[i] as number) - value), `value ${i}`).toBeLessThan(5e-7);
	await fit.close();
});

/** Gradient descent on the same sum, step 1 / (largest curvature). The slow twin of L-BFGS. */
function descended({ features, classes, weight, l2 }: Problem, steps: number): number {
	const [rows, dim, labels] = [classes.length, (features[0] as readonly number[]).length, weight.length];
	const x = features.map((row) => [...Float32Array.from(row), 1]);
	const w = Array.from({ length: labels }, () => new Float64Array(dim + 1));
	// Of a softmax at most 1 / 2 times the squared norm of each row, summed (Böhning 1992), and the penalty's.
	const rate = 1 / (l2 + x.reduce((sum, row) => sum + row.reduce((squares, value) => squares + value * value, 0), 0) / 2);
	let value = 0;
	for (let step = 0; step < steps; step++) {
		value = (l2 / 2) * w.reduce((sum, own) => sum + own.subarray(0, dim).reduce((squares, each) => squares + each * each, 0), 0);
		const gradient = w.map((own) => own.map((each, i) => (i < dim ? l2 * each : 0)));
		for (let row = 0; row < rows; row++) {
			const own = x[row] as number[];
			const exponentials = w.map((each) => Math.exp(own.reduce((sum, feature, i) => sum + feature * (each[i] as number), 0)));
			const total = exponentials.reduce((a, b) => a + b);
			value -= Math.log((exponentials[classes[row] as number] as number) / total);
			for (const [label, slope] of gradient.entries()) {
				const error = (exponentials[label] as number) / total - Number(label === classes[row]);
				for (const [i, feature] of own.entries()) slope[i] = (slope[i] as number) + error * feature;
			}
		}
		for (const [label, slope] of gradient.entries()) w[label] = (w[label] as Float64Array).map((each, i) => each - rate * (slope[i] as number));
	}
	return value;
}

test('plain gradient descent ends where L-BFGS does', async () => {
	const problem = problems.find(({ name }) => name === 'one row a label') as Problem;
	const { head, iterations } = await fitted(optionsOf(problem));
	const squares = head.weight.reduce((sum, value) => sum + value * value, 0);
	const objective = lossOf(problem, head) + (problem.l2 / 2) * squares;
	// Biases are curved least, by a tenth of the rate's inverse or so: 2,000 steps leave nothing that a double shows.
	expect(Math.abs(descended(problem, 2000) / objective - 1)).toBeLessThan(1e-9);
	expect(iterations).toBeLessThan(50);
});

test('portions of iterations end where one go ends, to the bit', async () => {
	const [problem] = problems as [Problem];
	const whole = await fitted(optionsOf(problem));
	const fit = await loadBase().openHeadFit({ ...optionsOf(problem), threads: 3 });
	let iterations = 0;
	for (let converged = false; !converged; ) {
		const portion = await fit.advance(3);
		iterations += portion.iterations;
		converged = portion.converged;
	}
	expect(iterations).toBe(whole.iterations);
	expect(await fit.head()).toEqual(whole.head);
	expect(await fit.advance(3)).toEqual({ iterations: 0, converged: true });
	await fit.close();
});

test('features that are not finite end without a head that converged', async () => {
	const options = optionsOf(problems[0] as Problem);
	options.features[5] = Number.NaN;
	expect(await fitted(options)).toMatchObject({ iterations: 0, converged: false });
});

test('what memory safety forbids is refused', async () => {
	const { openHeadFit } = loadBase();
	const good = optionsOf(problems[0] as Problem);
	const bad: [object, string][] = [
		[{ classes: good.classes.with(0, 3) }, 'HEAD_ROWS_INVALID'],
		[{ classes: good.classes.with(0, -1) }, 'HEAD_ROWS_INVALID'],
		[{ classes: new Int32Array() }, 'HEAD_ROWS_INVALID'],
		[{ features: good.features.subarray(1) }, 'HEAD_ROWS_INVALID'],
		[{ features: new Float32Array() }, 'HEAD_ROWS_INVALID'],
		[{ features: [1, 2] }, 'HEAD_INVALID'],
		[{ classes: [1, 2] }, 'BATCH_INVALID'],
	];
	for (const [change, code] of bad) await expect(openHeadFit({ ...good, ...change })).rejects.toMatchObject({ code });
	const fit = await openHeadFit(good);
	const head = await fit.head();
	for (const other of [{ weight: head.weight.subarray(1) }, { bias: new Float32Array(4) }, { weight: [0] }])
		await expect(fit.logits({ ...head, ...other } as Head)).rejects.toMatchObject({ code: 'HEAD_INVALID' });
	await fit.close();
	await fit.close();
	for (const call of [() => fit.advance(1), () => fit.head(), () => fit.logits(head)])
		await expect(call()).rejects.toMatchObject({ code: 'FIT_CLOSED' });
});
