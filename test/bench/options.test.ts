import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, readOptions } from '../../bench/options.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { SUBJECTS } from '../../bench/subjects/all.ts';

test('without options everything is measured in full', () => {
  const options = readOptions([]);
  assert.equal(options.quick, false);
  assert.equal(options.scenarios, undefined);
  assert.equal(options.subjects, undefined);
});

test('--quick has fewer rounds than the full run, and --rounds beats both', () => {
  assert.ok(readOptions(['--quick']).rounds < readOptions([]).rounds);
  assert.equal(readOptions(['--quick', '--rounds', '17']).rounds, 17);
});

test('--only narrows scenarios and subjects apart, by commas or repeated', () => {
  const options = readOptions(['--only', 'call-1kb,nginx', '--only', 'fairlead']);
  assert.deepEqual(options.scenarios, ['call-1kb']);
  assert.deepEqual(options.subjects, ['nginx', 'fairlead']);
  assert.equal(readOptions(['--only', 'nginx']).scenarios, undefined);
});

test('a wrong option is refused with what would be right', () => {
  assert.throws(() => readOptions(['--only', 'apache']), /knows no "apache".*call-1kb.*nginx/);
  for (const rounds of ['0', 'ten', '1.5']) {
    assert.throws(() => readOptions(['--rounds', rounds]), /number from 1/);
  }
  assert.throws(() => readOptions(['--fast']), /--fast/);
});

test('the help tells every option, every scenario and every subject', () => {
  for (const option of ['--quick', '--rounds N', '--only NAMES', '--assert', '--json', '--help']) {
    assert.match(HELP, new RegExp(`^  ${option} +\\S`, 'm'));
  }
  const [byDefault = '', byNameIfQuick = '', byName = ''] = HELP.split('only by their names: ');
  for (const { name, byNameOnly } of SCENARIOS) {
    const list = byNameOnly === true ? byName : byNameOnly === 'quick' ? byNameIfQuick : byDefault;
    assert.ok(list.includes(name), name);
  }
  for (const { name } of SUBJECTS) assert.ok(byName.includes(name), name);
});
