import { describe, expect, it } from 'vitest';

import { factsOf } from '../lib/report/diagnosis/facts.js';
import { guessOf } from '../lib/report/diagnosis/guess.js';
import { agreement, wilson } from '../lib/report/diagnosis/statistics.js';
import { codesOf, curveOf, evaluationOf, findingsOf, healthyRun, matrix } from './diagnosis.js';

// Each finding on a made-up record, and nothing on its nearest healthy neighbour. The levels are those of docs/diagnosis.md.

const { config, rows, movement } = healthyRun;
const flat = (at: number) => curveOf({ loss: (step) => at + 0.02 * Math.sin(step * 7) });
const lost = [evaluationOf(3, 0.7, 0.69, matrix(200, 102))];
const moved = (head: number, encoder: number) => ({ ...movement, head: { start: 0.02, change: head }, encoder: { start: 0.04, change: encoder } });

describe('a healthy run', () => {
	it('has no finding', () => expect(codesOf({})).toEqual([]));
	it('has none at any moment of its course', () => {
		for (let steps = 1; steps <= 120; steps++) {
			const evaluations = healthyRun.evaluations.slice(0, Math.floor(steps / 40));
			expect(codesOf({ status: 'running', curve: curveOf({ steps }), evaluations, movement: steps < 40 ? null : movement }), `step ${steps}`).toEqual(
				[],
			);
		}
	});
	it('has none where nothing is measured', () => expect(codesOf({ evaluations: [], rows: { ...rows, eval: 0 } })).toEqual([]));
});

describe('too few rows', () => {
	const counted = (perLabel: number[]) => ({ rows: { ...rows, perLabel, train: perLabel.reduce((a, b) => a + b) } });
	it('is found under 50 a label, or under 10 of one', () => {
		expect(codesOf(counted([49, 50]))).toEqual(['TOO_FEW_ROWS']);
		expect(codesOf(counted([200, 9]))).toEqual(['TOO_FEW_ROWS']);
		expect(codesOf(counted([50, 50]))).toEqual([]);
		expect(codesOf(counted([200, 10]))).toEqual([]);
	});
	it('is said before the first step', () => {
		const begun = { status: 'running', curve: curveOf({ steps: 0 }), movement: null, evaluations: [], ...counted([10, 10]) };
		expect(codesOf(begun)).toEqual(['TOO_FEW_ROWS']);
	});
});

describe('an evaluation set too small to tell', () => {
	it('is found by the 95% interval of the accuracy', () => {
		expect(codesOf({ evaluations: [evaluationOf(3, 0.3, 0.3, matrix(50, 45))] })).toEqual(['EVALUATION_TOO_SMALL']);
		expect(codesOf({ evaluations: [evaluationOf(3, 0.3, 0.3, matrix(100, 90))] })).toEqual([]);
	});
	it('has the interval of the literature', () => {
		// Wilson's interval of 81 in 263: .2553 to .3662 (Newcombe 1998, table I, method 3).
		expect(wilson(81 / 263, 263).low).toBeCloseTo(0.2553, 4);
		expect(wilson(81 / 263, 263).high).toBeCloseTo(0.3662, 4);
	});
});

describe('a leak', () => {
	it('is found where known rows move the accuracy by more than chance', () => {
		expect(codesOf({ rows: { ...rows, shared: 40 } })).toEqual(['EVALUATION_LEAK']);
		expect(codesOf({ rows: { ...rows, shared: 6 } })).toEqual([]);
	});
	it('proposes the repair', () =>
		expect(findingsOf({ rows: { ...rows, shared: 40 } })[0]?.next).toBe('distiltune data check train.csv --against eval.csv --fix CLEAN.csv'));
});

describe('a training loss far below the validation loss from the first epoch on', () => {
	it('is found at half of it', () => {
		expect(codesOf({ evaluations: [evaluationOf(1, 0.4, 0.1)] })).toEqual(['TRAINING_FAR_BELOW_VALIDATION']);
		expect(codesOf({ evaluations: [evaluationOf(1, 0.4, 0.25)] })).toEqual([]);
	});
	it('is not found on few rows, where chance does it', () => {
		expect(codesOf({ evaluations: [evaluationOf(1, 0.4, 0.15, matrix(20, 18))] })).toEqual(['EVALUATION_TOO_SMALL']);
	});
	it('names a model that was trained before where the head was not new', () => {
		const [finding] = findingsOf({ drawnFromSeed: [], evaluations: [evaluationOf(1, 0.4, 0.1)] });
		expect(finding?.cause).toMatch(/trained on these rows before/);
	});
});

describe('overfitting', () => {
	const course = (...losses: [number, number][]) => ({
		evaluations: losses.map(([loss, epochLoss], index) => evaluationOf(index + 1, loss, epochLoss)),
	});
	it('is found since the epoch after the lowest validation loss', () => {
		const [finding, ...others] = findingsOf(course([0.4, 0.5], [0.3, 0.3], [0.45, 0.1], [0.6, 0.02]));
		expect(others).toEqual([]);
		expect(finding).toMatchObject({ code: 'OVERFITTING', epoch: 3 });
		expect(finding?.next).toContain('--num-train-epochs 2');
	});
	it('begins after a flat bottom', () => {
		expect(findingsOf(course([0.59, 0.66], [0.595, 0.44], [0.8, 0.18], [1.4, 0.02]))).toMatchObject([{ code: 'OVERFITTING', epoch: 3 }]);
	});
	it('is not found in a small rise, a rise that comes back, or where training did not go on', () => {
		expect(codesOf(course([0.4, 0.5], [0.3, 0.3], [0.33, 0.1]))).toEqual([]);
		expect(codesOf(course([0.4, 0.5], [0.3, 0.3], [0.6, 0.1], [0.31, 0.02]))).toEqual([]);
		expect(codesOf(course([0.4, 0.5], [0.3, 0.3], [0.6, 0.29]))).toEqual([]);
	});
	it('is not found where accuracy gained more than its interval', () => {
		const evaluations = [evaluationOf(1, 0.3, 0.3, matrix(200, 170)), evaluationOf(2, 0.5, 0.05, matrix(200, 190))];
		expect(codesOf({ evaluations })).toEqual([]);
	});
});

describe('one class only', () => {
	const taken = (others: number) => [
		[200, 0],
		[others, 0],
	];
	it('is found where ten rows of others are missed', () => {
		expect(codesOf({ evaluations: [evaluationOf(3, 0.3, 0.3, taken(10))] })).toEqual(['ONE_CLASS_ONLY']);
		expect(codesOf({ evaluations: [evaluationOf(3, 0.3, 0.3, taken(9))] })).toEqual([]);
	});
	it('proposes weights where one label has most rows', () => {
		const [finding] = findingsOf({ rows: { ...rows, perLabel: [280, 40] }, evaluations: [evaluationOf(3, 0.3, 0.3, taken(40))] });
		expect(finding?.next).toContain('--class-weights balanced');
	});
	it('waits for an epoch while the run goes on', () => {
		const evaluations = [{ ...evaluationOf(1, 0.6, 0.6, taken(30)), epoch: 0.5 }];
		expect(codesOf({ status: 'running', evaluations })).toEqual([]);
	});
});

describe('a loss that does not fall', () => {
	it('is found where no cause is seen', () => {
		expect(codesOf({ curve: flat(0.69), evaluations: [], movement: null })).toEqual(['LOSS_NOT_FALLING']);
		expect(codesOf({ curve: curveOf({ loss: (step) => 0.69 - step / 600 }), evaluations: [], movement: null })).toEqual([]);
	});
	it('waits for half of the run, and for 32 steps', () => {
		expect(codesOf({ status: 'running', curve: curveOf({ steps: 50, loss: () => 0.69 }), evaluations: [], movement: null })).toEqual([]);
		expect(codesOf({ curve: curveOf({ steps: 31, loss: () => 0.69 }), evaluations: [], movement: null })).toEqual([]);
	});
	it('is judged by what a guess has, whatever the number and shares of the labels', () => {
		const forty = {
			labels: Array.from({ length: 40 }, (_, label) => `l${label}`),
			rows: { ...rows, train: 4000, perLabel: new Array(40).fill(100) },
		};
		const common = { ...forty, evaluations: [], movement: null };
		expect(codesOf({ ...common, curve: flat(Math.log(40)) })).toEqual(['LOSS_NOT_FALLING']);
		expect(codesOf({ ...common, curve: flat(1) })).toEqual([]);
	});
});

describe('a learning rate that is too low', () => {
	const slow = { curve: curveOf({ loss: () => 0.69, learningRate: () => 1e-7 }), config: { ...config, learningRate: 1e-7 }, evaluations: lost };
	it('is found where the head did not move', () => {
		expect(codesOf({ ...slow, movement: moved(0.00005, 1e-5) })).toEqual(['LEARNING_RATE_TOO_LOW']);
		expect(findingsOf({ ...slow, movement: moved(0.00005, 1e-5) })[0]?.next).toContain('--learning-rate 0.00005');
	});
	it('is not found where the loss fell all the same', () => expect(codesOf({ movement: moved(0.00005, 1e-4) })).toEqual([]));
});

describe('a head that is not trained', () => {
	const warming = {
		curve: curveOf({ loss: () => 0.69, learningRate: (step) => (5e-5 * step) / 2000 }),
		evaluations: lost,
		movement: moved(0.0001, 1e-5),
	};
	it('is found under a warm-up longer than the run, and in a run of ten steps', () => {
		expect(codesOf(warming)).toEqual(['HEAD_NOT_TRAINED']);
		expect(codesOf({ ...warming, curve: curveOf({ steps: 10, loss: () => 0.69 }), plan: { stepsPerEpoch: 40, totalSteps: 10 } })).toEqual([
			'HEAD_NOT_TRAINED',
		]);
	});
	it('is found where the encoder moves and the head does not', () => {
		expect(codesOf({ curve: flat(0.69), evaluations: lost, movement: moved(1e-6, 0.002) })).toEqual(['HEAD_NOT_TRAINED']);
	});
	it('is not said of a head that came with the model', () => expect(codesOf({ ...warming, drawnFromSeed: [] })).toEqual(['LEARNING_RATE_TOO_LOW']));
});

describe('a learning rate that is too high', () => {
	it('is found where the loss rises above a guess', () => {
		const curve = curveOf({ loss: (step) => (step > 2 && step < 30 ? 1.5 : 0.7) });
		expect(findingsOf({ curve, evaluations: lost })[0]).toMatchObject({ code: 'LEARNING_RATE_TOO_HIGH', step: expect.any(Number) });
		expect(codesOf({ curve: curveOf({ loss: (step) => (step === 60 ? 5 : 0.3) }) })).toEqual([]);
	});
	it('is not found in a model that begins wrong and comes down', () =>
		expect(codesOf({ curve: curveOf({ loss: (step) => 3 * Math.exp(-step / 20) }) })).toEqual([]));
	it('is found where the loss fell and came back', () => {
		expect(
			codesOf({ curve: curveOf({ loss: (step) => (step < 60 ? 0.7 - step / 120 : 0.68) + 0.02 * Math.sin(step * 7) }), evaluations: lost }),
		).toEqual(['LEARNING_RATE_TOO_HIGH']);
	});
	it('is found where the encoder was overwritten', () => {
		expect(codesOf({ curve: flat(0.69), movement: moved(0.02, 0.02), evaluations: lost })).toEqual(['LEARNING_RATE_TOO_HIGH']);
		expect(codesOf({ movement: moved(0.02, 0.02) })).toEqual([]);
	});
});

describe('exploding gradients', () => {
	it('are found at a step, in a window, and by numbers that are none', () => {
		expect(findingsOf({ curve: curveOf({ gradNorm: (step) => (step === 70 ? 1200 : 4) }) })).toMatchObject([
			{ code: 'GRADIENT_EXPLODING', step: 70 },
		]);
		expect(codesOf({ curve: curveOf({ gradNorm: (step) => (step > 50 ? 120 : 4) }) })).toEqual(['GRADIENT_EXPLODING']);
		expect(codesOf({ curve: curveOf({ gradNorm: (step) => (step === 70 ? 900 : 4) }) })).toEqual([]);
		const error = { code: 'NON_FINITE', message: 'the loss is not a number' };
		const curve = curveOf({ steps: 1, learningRate: () => 0.5 });
		expect(findingsOf({ status: 'failed', error, curve, movement: null, evaluations: [] })).toMatchObject([
			{ code: 'GRADIENT_EXPLODING', step: 2 },
			{ code: 'LEARNING_RATE_TOO_HIGH', step: 2 },
		]);
		expect(codesOf({ status: 'failed', error: { ...error, code: 'DISK_FULL' }, evaluations: [] })).toEqual([]);
	});
});

describe('vanishing gradients', () => {
	it('are found in a window, and by an encoder that stands still', () => {
		expect(findingsOf({ curve: curveOf({ loss: () => 0.69, gradNorm: (step) => (step > 60 ? 0.001 : 4) }) })[0]).toMatchObject({
			code: 'GRADIENT_VANISHING',
		});
		expect(codesOf({ curve: flat(0.69), movement: moved(0, 0), evaluations: lost })).toEqual(['GRADIENT_VANISHING']);
	});
	it('are not found where nothing is left to learn, or the encoder is frozen', () => {
		expect(codesOf({ curve: curveOf({ loss: () => 0.001, gradNorm: () => 0.001 }) })).toEqual([]);
		expect(codesOf({ config: { ...config, freeze: 'encoder' }, movement: moved(0.002, 0) })).toEqual([]);
	});
});

describe('shuffled labels', () => {
	const blind = flat(0.69);
	const heart = curveOf({ loss: (step) => (step < 50 ? 0.69 : 0.3) + 0.02 * Math.sin(step * 7) });
	it('are found where the first epoch sees nothing and nothing carries over', () => {
		expect(codesOf({ curve: blind, evaluations: lost })).toEqual(['LABELS_SHUFFLED']);
		expect(codesOf({ curve: heart, evaluations: lost })).toEqual(['LABELS_SHUFFLED']);
		expect(codesOf({ curve: heart, evaluations: [], rows: { ...rows, eval: 0 } })).toEqual(['LABELS_SHUFFLED']);
	});
	it('are not found in an evaluation that agrees', () => expect(codesOf({ curve: heart })).toEqual([]));
	it('have an agreement as scikit-learn and Fleiss have it', () => {
		// kappa of [[20, 5], [10, 15]]: (.7 - .5) / (1 - .5); null variance .5 + .25 - (.5 * .6 * 1.1 + .5 * .4 * .9) = .24 over 50 * .25.
		expect(
			agreement([
				[20, 5],
				[10, 15],
			])?.kappa,
		).toBeCloseTo(0.4, 12);
		expect(
			agreement([
				[20, 5],
				[10, 15],
			])?.error,
		).toBeCloseTo(Math.sqrt(0.24 / 12.5), 12);
		expect(
			agreement([
				[20, 0],
				[0, 0],
			]),
		).toBeUndefined();
	});
});

describe('the guess', () => {
	const guess = (changes: Record<string, unknown>) => guessOf(factsOf({ ...healthyRun, ...changes }));
	it('is the entropy of the shares, weighted and smoothed as the loss is', () => {
		expect(guess({})?.loss).toBeCloseTo(Math.LN2, 12);
		const uneven = { rows: { ...rows, perLabel: [240, 80] } };
		expect(guess(uneven)?.loss).toBeCloseTo(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)), 12);
		expect(guess({ ...uneven, config: { ...config, classWeights: [2 / 3, 2] } })?.loss).toBeCloseTo(Math.LN2, 12);
		const smoothed = guess({ config: { ...config, labelSmoothingFactor: 0.2 } });
		expect(smoothed?.floor).toBeCloseTo(-(0.9 * Math.log(0.9) + 0.1 * Math.log(0.1)), 12);
		expect(smoothed?.share(Math.LN2)).toBeCloseTo(1, 12);
	});
});

describe('other problems', () => {
	it.each(['multi_label_classification', 'regression'])('stay silent where a finding makes no sense: %s', (problemType) => {
		const metrics = problemType === 'regression' ? { accuracy: undefined, confusion: undefined } : { confusion: undefined };
		const evaluations = [evaluationOf(1, 0.69, 0.69, matrix(200, 100), metrics), evaluationOf(3, 0.69, 0.69, matrix(200, 100), metrics)];
		const run = {
			config: { ...config, problemType },
			rows: { ...rows, perLabel: null },
			curve: flat(0.69),
			evaluations,
			movement: moved(0.0001, 0.00001),
		};
		expect(codesOf(run)).toEqual([]);
		const overfit = [evaluationOf(1, 0.3, 0.4, matrix(200, 150), metrics), evaluationOf(2, 0.9, 0.05, matrix(200, 150), metrics)];
		expect(codesOf({ ...run, evaluations: overfit })).toEqual(['OVERFITTING']);
	});
});

describe('what is said', () => {
	it('has a symptom, numbers, a cause and a command everywhere', () => {
		const all = [
			...findingsOf({ rows: { ...rows, shared: 100, train: 20, perLabel: [10, 10] }, evaluations: [evaluationOf(1, 0.4, 0.01, matrix(40, 36))] }),
			...findingsOf({ curve: flat(0.69), evaluations: lost }),
			...findingsOf({ curve: curveOf({ loss: () => 2, gradNorm: () => 2000 }) }),
		];
		expect(all.length).toBeGreaterThan(5);
		for (const { symptom, evidence, cause, next } of all) {
			expect(symptom).toMatch(/^[A-Z]/);
			expect(evidence).toMatch(/\d/);
			expect(cause).not.toBe('');
			expect(next).toMatch(/^distiltune (train|data check|eval) /);
		}
	});
});
